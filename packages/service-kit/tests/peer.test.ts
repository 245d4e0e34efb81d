import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Gone } from "../src/caller.ts";
import { peerAt } from "../src/peer.ts";
import { freePort } from "../src/testing.ts";
import { recordedLog } from "./lines.ts";

let server: Server;
let url: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const { log, lines } = recordedLog();
const request = { id: "Caller-1", headers: { "x-user-id": "u", "x-forwarded-for": "1.2.3.4", cookie: "c" } };

beforeEach(async () => {
  lines.length = 0;
  server = createServer((asked, response) => answer(asked, response)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));

function says(status: number, body: string): void {
  answer = (asked, response) => asked.resume().on("end", () => response.writeHead(status).end(body));
}

test("a question goes in the name of the user, under the request's id, and with nothing else of the request", async () => {
  let seen: Record<string, unknown> = {};
  answer = async (asked, response) => {
    let body = "";
    for await (const part of asked) body += part;
    seen = { method: asked.method, url: asked.url, headers: asked.headers, body };
    response.end('{"a":1}');
  };
  const found = await peerAt("other", url, log).ask<{ a: number }>(request, "/things", {
    method: "POST",
    body: { b: 2 },
  });
  expect(found).toEqual({ a: 1 });
  expect(seen).toMatchObject({ method: "POST", url: "/things", body: '{"b":2}' });
  expect(seen.headers).toMatchObject({
    "x-user-id": "u",
    "x-request-id": "Caller-1",
    "content-type": "application/json",
  });
  expect(seen.headers).not.toHaveProperty("cookie");
});

test("a refusal is told as the other service told it", async () => {
  says(409, '{"error":{"code":"too_many","message":"Delete some first.","requestId":"x"}}');
  const asked = peerAt("other", url, log).ask(request, "/things");
  await expect(asked).rejects.toMatchObject({ status: 409, code: "too_many", message: "Delete some first." });
  expect(lines).toEqual([]);
});

test("an answer without a body is undefined", async () => {
  says(200, "");
  expect(await peerAt("other", url, log).ask(request, "/things")).toBeUndefined();
});

const unavailable = { status: 503, code: "unavailable" };

test.each([
  [500, '{"error":{"code":"internal_error","message":"secret of the other one"}}'],
  [502, "<html>"],
  [404, "no error body"],
  [200, "no JSON"],
])("what is no answer is a 503 that the log explains: %i %s", async (status, body) => {
  says(status, body);
  await expect(peerAt("other", url, log).ask(request, "/things")).rejects.toMatchObject(unavailable);
  expect(JSON.parse(lines.join(""))).toMatchObject({ level: "error", peer: "other", requestId: "Caller-1" });
});

test("a service that is silent costs its limit and no more, and one that is away nothing", async () => {
  answer = () => {};
  const began = performance.now();
  const asked = peerAt("other", url, log).ask(request, "/things", { limit: 100 });
  await expect(asked).rejects.toMatchObject(unavailable);
  expect(performance.now() - began).toBeLessThan(5_000);
  const away = peerAt("other", `http://127.0.0.1:${await freePort()}`, log);
  await expect(away.ask(request, "/things")).rejects.toMatchObject(unavailable);
});

test("a refusal that says when to come again still says so", async () => {
  answer = (_asked, response) =>
    response.writeHead(429, { "Retry-After": "7" }).end('{"error":{"code":"too_many","message":"Wait."}}');
  const asked = peerAt("other", url, log).ask(request, "/things");
  await expect(asked).rejects.toMatchObject({ status: 429, headers: { "retry-after": "7" } });
});

test("a client that has left is no fault of the other service", async () => {
  const client = new AbortController();
  answer = () => client.abort();
  const asked = peerAt("other", url, log).ask(request, "/things", { signal: client.signal });
  await expect(asked).rejects.toBeInstanceOf(Gone);
  expect(lines).toEqual([]);
});

test.each([
  "things",
  "@elsewhere.example",
  "/things/../admin",
  "/things/%2E%2e/admin",
  "/./things",
  "/a/.\t./b",
  "/a\\..\\b",
])("a path that would lead elsewhere is a defect of the caller: %j", async (path) => {
  says(200, "{}");
  await expect(peerAt("other", url, log).ask(request, path)).rejects.toBeInstanceOf(TypeError);
  expect(lines).toEqual([]);
});

test("dots within a segment or a query are plain", async () => {
  says(200, "");
  expect(await peerAt("other", url, log).ask(request, "/v1.0/a..b?up=/../x")).toBeUndefined();
});
