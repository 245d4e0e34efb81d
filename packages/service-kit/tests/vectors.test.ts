import { describe, expect, test } from "vitest";
import vectors from "../../contract/vectors.json" with { type: "json" };
import { codes } from "../src/errors.ts";
import { timeout } from "../src/health.ts";
import { ApiError, createServer, isBlank, type Reader, readConfig } from "../src/index.ts";
import { bodyLimit, requestLimit } from "../src/server.ts";
import { drain, grace } from "../src/service.ts";
import { contractWith, variable } from "./contract.ts";
import { recordedLog } from "./lines.ts";

interface Vector {
  readonly type: string;
  readonly given: string;
  readonly values?: string[];
  readonly minLength?: number;
  readonly required?: boolean;
  readonly reads?: unknown;
  readonly problem?: string;
}

const by: Readonly<Record<string, (read: Reader) => unknown>> = {
  string: (read) => read.string("V"),
  url: (read) => read.string("V"),
  int: (read) => read.int("V"),
  port: (read) => read.port("V"),
  duration: (read) => read.duration("V"),
  bool: (read) => read.bool("V"),
  enum: (read) => read.enum("V", ["a", "b"]),
  list: (read) => read.list("V"),
};

describe("as every reader of the contract", () => {
  test.each(vectors.values as Vector[])("%j", ({ type, given, reads, problem, ...rest }) => {
    const contract = contractWith(variable("V", { type, description: "what it is", ...rest }));
    const read = () => readConfig(contract, { V: given }, (reader) => ({ value: by[type]?.(reader) })).value;
    if (problem === undefined) expect(read()).toEqual(reads);
    else expect(read).toThrow(`example-service: cannot start: V ${problem}`);
  });
});

test("a status has the code of every stack", () => {
  expect(codes).toEqual(vectors.errors);
});

test.each(Object.entries(vectors.retryAfter))("a %s says when to come again", async (status, seconds) => {
  const { log } = recordedLog();
  const server = createServer({ service: "some-service", log, checks: {}, isUnavailable: () => true });
  server.get("/own", () => Promise.reject(new ApiError(Number(status), "busy", "Come again.")));
  server.get("/store", () => Promise.reject(new Error("the store is away")));
  for (const url of ["/own", "/store"]) {
    const answer = await server.inject({ url });
    expect([answer.statusCode, answer.headers["retry-after"]]).toEqual([Number(status), seconds]);
  }
});

test("limits are those of every stack", () => {
  const own = {
    requestMs: requestLimit,
    bodyBytes: bodyLimit,
    readinessMs: timeout,
    drainMs: drain,
    farewellMs: grace,
  };
  expect(own).toEqual(vectors.limits);
});

test("a line has one of the levels", () => {
  const { log, lines } = recordedLog();
  for (const level of vectors.log.levels) log[level as "info"]("said");
  expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(vectors.log.levels);
});

test.each(vectors.log.requests)("a request is logged as in every stack: %j", async ({ status, health, level }) => {
  const { log, lines } = recordedLog();
  const server = createServer({ service: "some-service", log, checks: {} });
  const path = health ? "/health/x" : "/a";
  server.get(path, (_request, reply) => reply.code(status).send());
  await server.inject({ url: path });
  const line = JSON.parse(lines.at(-1) ?? "") as Record<string, unknown>;
  expect(line).toMatchObject({ level, status, path });
  expect(Object.keys(line)).toEqual(expect.arrayContaining([...vectors.log.always, ...vectors.log.request]));
});

test("a text is blank when nothing of it can be seen", () => {
  for (const text of vectors.blank) expect([text, isBlank(text)]).toEqual([text, true]);
  for (const text of vectors.visible) expect([text, isBlank(text)]).toEqual([text, false]);
});
