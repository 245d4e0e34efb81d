import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import vectors from "../../contract/vectors.json" with { type: "json" };
import { errorResponse } from "../src/errors.ts";
import { live } from "../src/health.ts";
import { createLog, line } from "../src/log.ts";
import { watchRequests } from "../src/requests.ts";
import { securityHeaders } from "../src/security.ts";

test.each(Object.entries(vectors.errors))("an error has the body of every stack: %s", async (status, code) => {
  const request = new Request("http://an-app/api/x", { headers: { "x-request-id": "Caller-1" } });
  const answer = errorResponse(request, Number(status), "What was wrong.");
  expect([answer.status, await answer.json()]).toEqual([
    Number(status),
    { error: { code, message: "What was wrong.", requestId: "Caller-1" } },
  ]);
  const again = (vectors.retryAfter as Record<string, string>)[status] ?? null;
  expect(answer.headers.get("retry-after")).toBe(again);
});

test("liveness is answered as in every stack", async () => {
  expect(await live("some-service").json()).toEqual(vectors.health.live);
});

afterEach(() => vi.restoreAllMocks());

const log = createLog("an-app", () => ({ logLevel: "debug", logFormat: "json" }));

/** The lines that are logged from now on. */
function recorded(): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => Boolean(lines.push(JSON.parse(String(text)))));
  return lines;
}

test("a line has one of the levels", () => {
  const lines = recorded();
  for (const level of vectors.log.levels) log(level as "info", "said");
  expect(lines.map(({ level }) => level)).toEqual(vectors.log.levels);
});

watchRequests(log, { title: "", back: "" });

test.each(vectors.log.requests)("a request is logged as in every stack: %j", async ({ status, health, level }) => {
  const lines = recorded();
  const path = health ? "/api/health" : "/a";
  const server = createServer((_request, response) => response.writeHead(status).end()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
  await new Promise((resolve) => server.close(resolve).closeAllConnections());
  expect(lines).toMatchObject([{ level, status, path }]);
  expect(Object.keys(lines[0] ?? {})).toEqual(expect.arrayContaining([...vectors.log.always, ...vectors.log.request]));
});

test("a log line is one JSON object, or text", () => {
  const event = { requestId: "r", note: "two\nlines" };
  expect(JSON.parse(line("json", "some-service", "info", "request", event))).toMatchObject({
    level: "info",
    msg: "request",
    service: "some-service",
    ...event,
  });
  const { level, msg, fields, line: expected } = vectors.logText;
  const text = line("text", "some-service", level as "warn", msg, fields);
  expect(text.replace(/^time=\S+Z /, "")).toBe(expected);
});

test("the policy allows this origin and one nonce, and no inline script", () => {
  const headers = securityHeaders("abc", { secure: true, development: false });
  const policy = headers["Content-Security-Policy"] ?? "";
  expect(policy).toContain("script-src 'self' 'nonce-abc' 'strict-dynamic';");
  expect(policy).toContain("connect-src 'self';");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe-/);
  expect(headers).not.toHaveProperty("X-XSS-Protection");
  expect(headers["Strict-Transport-Security"]).toBeDefined();
});
