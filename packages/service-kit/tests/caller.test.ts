import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { FastifyReply } from "fastify";
import { expect, test } from "vitest";
import vectors from "../../contract/vectors.json" with { type: "json" };
import { callerOf, userId } from "../src/index.ts";

const nobody = { raw: { once() {} } } as unknown as FastifyReply;

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  [undefined, "127.0.0.1"],
  ["invalid IP", "127.0.0.1"],
  ["203.0.113.7, 1.2.3.4", "127.0.0.1"],
])("a caller whom the gateway names %s is of %s", (forwarded, network) => {
  const headers = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  expect(callerOf({ headers, ip: "127.0.0.1" }, nobody).network).toBe(network);
});

test.each([
  ["leaves before the answer", true],
  ["has its answer, which may not be the handler's own", false],
])("a caller has gone when it %s, and not before", async (_, leaves) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const leaving = new AbortController();
  const { port } = server.address() as { port: number };
  const asking = fetch(`http://127.0.0.1:${port}`, { method: "POST", body: "{}", signal: leaving.signal });
  const [request, raw] = (await once(server, "request")) as [IncomingMessage, ServerResponse];
  const { gone } = callerOf({ headers: request.headers, ip: "" }, { raw });
  for await (const _chunk of request); // what is read to its end is not gone
  expect(gone.aborted).toBe(false);
  const closed = once(raw, "close");
  if (leaves) leaving.abort();
  else raw.end();
  await Promise.allSettled([asking, closed]);
  expect(gone.aborted).toBe(true);
  server.close();
});

test("the user is whom the gateway names, by an id in the one form that every stack takes", () => {
  for (const id of vectors.users.accepted) expect(userId({ headers: { "x-user-id": id } })).toBe(id);
  for (const id of [...vectors.users.refused, undefined]) {
    const headers = id === undefined ? {} : { "x-user-id": id };
    expect(() => userId({ headers })).toThrow(expect.objectContaining({ status: 401, code: "unauthenticated" }));
  }
});
