import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readConfig } from "../src/server/config.ts";

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
    streams: [],
  });
});

test("only HTTP reaches a gateway", () => {
  expect(() => readConfig({ API_GATEWAY_URL: "ftp://gateway/" })).toThrow(/API_GATEWAY_URL must begin with/);
});
