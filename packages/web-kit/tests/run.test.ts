import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

const SOURCES = new URL("../src/", import.meta.url);

// An application's own start.ts.
const START = `
import { readConfig } from "${SOURCES}config.ts";
import { runApp } from "${SOURCES}run.ts";
import { contractWith } from "@nextai/contract/testing";
const contract = contractWith();
await runApp({
  service: contract.service,
  config: () => readConfig(contract, process.env, () => ({})),
  words: { title: "An example", back: "Back" },
  server: new URL("./server.js", import.meta.url),
});
`;

// In the place of the server that `next build` makes: what that one does with the environment and with SIGTERM.
const SERVER = `
import { createServer } from "node:http";
const server = createServer((request, response) => {
  if (request.url === "/begun") response.write("b");
  if (request.url === "/") response.end("answer");
  else setTimeout(() => response.end("answer"), 500);
});
const timeout = Number.parseInt(process.env.KEEP_ALIVE_TIMEOUT, 10);
if (timeout) server.keepAliveTimeout = timeout;
if (!process.env.NEXT_MANUAL_SIG_HANDLE) process.on("SIGTERM", () => server.close(() => process.exit(143)));
server.listen(0, "127.0.0.1", () => process.stdout.write("port " + server.address().port + "\\n"));
`;

let program: string;
let child: ChildProcess | undefined;
let output = "";

beforeAll(() => {
  program = mkdtempSync(join(tmpdir(), "an-app-"));
  writeFileSync(join(program, "start.ts"), START);
  writeFileSync(join(program, "package.json"), '{"type": "module"}');
  symlinkSync(fileURLToPath(new URL("../node_modules", import.meta.url)), join(program, "node_modules"));
  writeFileSync(join(program, "server.js"), SERVER);
});
afterEach(() => child?.kill("SIGKILL"));
afterAll(() => rmSync(program, { recursive: true }));

/** Starts the program; its port once it listens. */
function start(environment: Record<string, string> = {}): Promise<number> {
  output = "";
  const env = { NODE_ENV: "production" as const, ...environment };
  const started = spawn(process.execPath, [join(program, "start.ts")], { env, stdio: ["ignore", "pipe", "inherit"] });
  child = started;
  return new Promise((resolve, reject) => {
    started.on("exit", () => reject(new Error(output)));
    started.stdout.on("data", (data: Buffer) => {
      output += data;
      const port = /^port (\d+)$/m.exec(output)?.[1];
      if (port) resolve(Number(port));
    });
  });
}

/** The answer's headers, over a connection that the client keeps; `begun` runs once the request is with the server. */
function ask(port: number, path = "/", begun = () => {}): Promise<Record<string, unknown>> {
  const agent = new Agent({ keepAlive: true });
  return new Promise((resolve, reject) => {
    get({ port, path, agent, host: "127.0.0.1" }, (response) => {
      if (path === "/begun") begun();
      response.resume().on("end", () => resolve(response.headers));
    })
      .on("error", reject)
      .on("finish", () => path === "/slow" && setTimeout(begun, 100));
  });
}

test.each([
  [{}, "timeout=95"],
  [{ KEEP_ALIVE_TIMEOUT: "" }, "timeout=95"],
  [{ KEEP_ALIVE_TIMEOUT: "7000" }, "timeout=7"],
])("an idle connection is kept longer than a proxy in front keeps it: %j", async (environment, expected) => {
  expect((await ask(await start(environment)))["keep-alive"]).toBe(expected);
});

test.each(["/slow", "/begun"])("a stop waits for the answer under way, and for nothing after it: %s", async (path) => {
  const port = await start();
  const ended = new Promise((resolve) => child?.once("exit", resolve));
  let told = 0;
  const headers = await ask(port, path, () => {
    told = performance.now();
    child?.kill("SIGTERM");
  });
  if (path === "/slow") expect(headers.connection).toBe("close");
  expect(await ended).toBe(0);
  expect(performance.now() - told).toBeLessThan(path === "/slow" ? 3_000 : 5_000); // who was not told keeps an idle connection
  expect(output).not.toContain("cut off");
});

/**
 * Asks on one connection that it keeps and never looks at between two answers, as a proxy may, until an answer says that
 * the connection ends. Throws when a request is lost.
 */
async function keepAsking(port: number, answered: () => void): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const heard = socket[Symbol.asyncIterator]();
  for (let open = true; open; await wait(5)) {
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const { value, done } = await heard.next();
    if (done) throw new Error("a request was lost");
    answered();
    open = !/^connection: close\r$/im.test(String(value));
  }
  socket.destroy();
}

test("no request on a kept-alive connection is lost at a stop", async () => {
  const port = await start();
  const ended = new Promise((resolve) => child?.once("exit", resolve));
  let answers = 0;
  const clients = Array.from({ length: 20 }, () => keepAsking(port, () => void answers++));
  await expect.poll(() => answers).toBeGreaterThan(100);
  child?.kill("SIGTERM");
  await Promise.all(clients);
  expect(await ended).toBe(0);
});
