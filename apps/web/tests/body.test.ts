import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { getCloneableBody } from "next/dist/server/body-streams.js";
import { afterEach, describe, expect, test } from "vitest";
import nextConfig from "../next.config.ts";
import { handleApi } from "../src/server/api.ts";
import { handleSession } from "../src/server/session.ts";
import { HOST, platform } from "./setup.ts";

const MIB = 1_048_576;
const HEADERS = { host: HOST, origin: `http://${HOST}`, "content-type": "application/json" };

/** A request whose body comes in pieces of 1 KiB, with no length beforehand; `taken` says how many were asked for. */
function inPieces(path: string, pieces: number) {
  const state = { taken: 0 };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (state.taken === pieces) return controller.close();
        state.taken += 1;
        controller.enqueue(new Uint8Array(1024).fill(120));
      },
    },
    { highWaterMark: 0 },
  );
  const init = { method: "POST", headers: HEADERS, body, duplex: "half" } as RequestInit;
  return { state, request: new Request(`http://${HOST}${path}`, init) };
}

describe("a body that is too long", () => {
  const it = platform();

  test("is read no further than the form's limit", async () => {
    const { state, request } = inPieces("/api/session/sign-in", 1024);
    expect((await handleSession(it.config, "sign-in", request)).status).toBe(413);
    expect(state.taken).toBeLessThan(20);
  });

  test("is not read at all when its length says so", async () => {
    const { state, request } = inPieces("/api/session/sign-in", 1024);
    request.headers.set("content-length", String(MIB));
    expect((await handleSession(it.config, "sign-in", request)).status).toBe(413);
    expect(state.taken).toBe(0);
  });

  test("is read no further than the API's limit", async () => {
    const { state, request } = inPieces("/api/memories", 4096);
    expect((await handleApi(it.config, request)).status).toBe(413);
    expect(state.taken).toBeLessThan(1030);
  });
});

// Next.js keeps a copy of every body while proxy.ts runs, and cuts it off at a limit without telling the handler.
describe("behind proxy.ts", () => {
  const it = platform();
  let server: Server | undefined;
  afterEach(() => server?.closeAllConnections());

  /** Sends a body without a length in writes of a size to a server that copies it as Next.js does. */
  function send(length: number, size: number): Promise<{ kept: number; status: number }> {
    return new Promise((resolve, reject) => {
      server = createServer(async (request) => {
        const copy = getCloneableBody(request, nextConfig.experimental?.proxyClientMaxBodySize as number);
        copy.cloneBodyStream();
        await copy.finalize();
        const kept = await new Response(Readable.toWeb(request) as ReadableStream).blob();
        const init = { method: "POST", headers: HEADERS, body: kept.stream(), duplex: "half" } as RequestInit;
        const { status } = await handleApi(it.config, new Request(`http://${HOST}/api/auth/sign-in`, init));
        resolve({ kept: kept.size, status });
      }).listen(0, "127.0.0.1", () => {
        const socket = connect((server?.address() as AddressInfo | undefined)?.port ?? 0, "127.0.0.1").on(
          "error",
          reject,
        );
        socket.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (let left = length; left > 0; left -= size) {
          const part = Math.min(left, size);
          socket.write(`${part.toString(16)}\r\n${"x".repeat(part)}\r\n`);
        }
        socket.write("0\r\n\r\n");
      });
    });
  }

  test("one larger than 1 MiB is refused and never passed on cut off, however it comes", async () => {
    for (const size of [1_000, 65_535, 65_536, 300_000, 1_048_575, 2 * MIB]) {
      const { kept, status } = await send(2 * MIB, size);
      expect([size, status]).toEqual([size, 413]);
      expect(kept).toBeGreaterThan(MIB);
    }
    expect(it.upstream.requests).toEqual([]);
  });

  test("little more than 1 MiB is kept in memory", async () => {
    const { kept, status } = await send(9 * MIB, 65_536);
    expect(status).toBe(413);
    expect(kept).toBeLessThan(1.2 * MIB);
  });

  test("one of 1 MiB comes through whole", async () => {
    it.upstream.intercept = (_seen, response) => {
      response.writeHead(200).end("{}");
      return true;
    };
    expect(await send(MIB, 65_536)).toEqual({ kept: MIB, status: 200 });
    expect(it.upstream.requests[0]?.body).toHaveLength(MIB);
  });
});
