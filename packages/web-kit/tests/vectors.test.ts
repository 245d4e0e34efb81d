import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import vectors from "../../../packages/contract/vectors.json" with { type: "json" };
import { codes } from "../src/codes.ts";
import { readEnvironment } from "../src/contract.ts";
import { createLog, line } from "../src/log.ts";
import { requestId, watchRequests } from "../src/requests.ts";
import { securityHeaders } from "../src/security.ts";

type Vector = {
  type: string;
  given: string;
  values?: string[];
  minLength?: number;
  required?: boolean;
  problem?: string;
};

test.each(vectors.values as Vector[])("as every reader of the contract: %j", ({ type, given, problem, ...rest }) => {
  const row = { name: "V", default: null, secret: false, required: false, minLength: null, values: [] };
  const variable = { ...row, type, description: "what it is", ...rest };
  const read = () => readEnvironment({ service: "an-app", port: 1, variables: [variable] }, { V: given });
  if (problem === undefined) expect(read).not.toThrow();
  else expect(read).toThrow(`an-app: cannot start: V ${problem}`);
});

test("a request id is kept in one form", () => {
  for (const id of vectors.requestIds.kept) expect(requestId(id)).toBe(id);
  for (const id of vectors.requestIds.replaced) expect(requestId(id)).toMatch(/^[\da-f-]{36}$/);
});

test("a status has the code of every stack", () => {
  expect(codes).toEqual(vectors.errors);
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

test("a request id is kept in the form of every service, and made anew otherwise", () => {
  for (const id of ["Caller-1", "a.b_c-d1", "x".repeat(64)]) expect(requestId(id)).toBe(id);
  for (const odd of ["", "short-1", "with a space", 'quote"\nline', "with:colon", "y".repeat(65), undefined])
    expect(requestId(odd)).toMatch(/^[\da-f-]{36}$/);
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
