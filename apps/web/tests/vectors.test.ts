import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import vectors from "../../../packages/contract/vectors.json" with { type: "json" };
import { codes } from "../src/server/codes.ts";
import { readEnvironment } from "../src/server/contract.ts";
import { log } from "../src/server/log.ts";
import { requestId, watchRequests } from "../src/server/requests.ts";
import { refusal } from "../src/session/draft.ts";
import { isBlank } from "../src/session/text.ts";

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
  const read = () => readEnvironment({ service: "web", port: 1, variables: [variable] }, { V: given });
  if (problem === undefined) expect(read).not.toThrow();
  else expect(read).toThrow(`web: cannot start: V ${problem}`);
});

test("a text is blank when nothing of it can be seen, and no memory", () => {
  for (const text of vectors.blank) {
    expect([text, isBlank(text), refusal(text)]).toEqual([text, true, "Write something first."]);
  }
  for (const text of vectors.visible) expect([text, isBlank(text), refusal(text)]).toEqual([text, false, ""]);
});

test("a request id is kept in one form", () => {
  for (const id of vectors.requestIds.kept) expect(requestId(id)).toBe(id);
  for (const id of vectors.requestIds.replaced) expect(requestId(id)).toMatch(/^[\da-f-]{36}$/);
});

test("a status has the code of every stack", () => {
  expect(codes).toEqual(vectors.errors);
});

afterEach(() => vi.restoreAllMocks());

/** The lines that are logged from now on. */
function recorded(): Record<string, unknown>[] {
  vi.stubEnv("LOG_LEVEL", "debug");
  vi.stubEnv("API_GATEWAY_URL", "http://gateway");
  const lines: Record<string, unknown>[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => Boolean(lines.push(JSON.parse(String(text)))));
  return lines;
}

test("a line has one of the levels", () => {
  const lines = recorded();
  for (const level of vectors.log.levels) log(level as "info", "said");
  expect(lines.map(({ level }) => level)).toEqual(vectors.log.levels);
});

watchRequests();

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
