import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import vectors from "../../../packages/contract/vectors.json" with { type: "json" };
import { readConfig } from "../src/server/config.ts";
import { line } from "../src/server/log.ts";
import { requestId } from "../src/server/requests.ts";
import { securityHeaders } from "../src/server/security.ts";

const START = fileURLToPath(new URL("../start.ts", import.meta.url));

function start(environment: Record<string, string>) {
  return spawnSync(process.execPath, [START], {
    env: { NODE_ENV: "production", ...environment },
    encoding: "utf8",
    timeout: 8_000,
  });
}

test("a missing gateway address is one clear line and exit code 2", () => {
  const { status, stderr, stdout } = start({ API_GATEWAY_URL: "" });
  expect(stderr).toMatch(/^web: cannot start: API_GATEWAY_URL is required \(.+\)\n$/);
  expect([status, stdout]).toEqual([2, ""]);
});

test("every mistake is named at once, without its value", () => {
  const { status, stderr } = start({ PORT: "70000", COOKIE_SECURE: "perhaps", API_GATEWAY_URL: "not a url" });
  expect(status).toBe(2);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  for (const name of ["PORT", "COOKIE_SECURE", "API_GATEWAY_URL"]) expect(stderr).toContain(name);
  expect(stderr).not.toMatch(/70000|perhaps|not a url/);
});

test("defaults come from the contract, and the gateway's address loses its last slash", () => {
  expect(readConfig({ API_GATEWAY_URL: "http://gateway:8080/" })).toEqual({
    host: "0.0.0.0",
    port: 3000,
    logLevel: "info",
    logFormat: "json",
    gateway: "http://gateway:8080",
    secure: true,
  });
});

test("only HTTP reaches a gateway", () => {
  expect(() => readConfig({ API_GATEWAY_URL: "ftp://gateway/" })).toThrow(/API_GATEWAY_URL must begin with/);
});

test("a log line is one JSON object, or text", () => {
  const event = { requestId: "r", note: "two\nlines" };
  expect(JSON.parse(line("json", "info", "request", event))).toMatchObject({
    level: "info",
    msg: "request",
    service: "web",
    ...event,
  });
  const { level, msg, fields, line: expected } = vectors.logText;
  const text = line("text", level as "warn", msg, fields);
  expect(text.replace(/^time=\S+Z /, "").replace("service=web", "service=some-service")).toBe(expected);
});

test("a request id is kept in the gateway's form, and made anew otherwise", () => {
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
