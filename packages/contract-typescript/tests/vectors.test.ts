import { expect, test } from "vitest";
import vectors from "../../contract/vectors.json" with { type: "json" };
import { codes, isBlank, limits, type Reader, readConfig, requestId, retryAfter } from "../src/index.ts";
import { contractWith, variable } from "../src/testing.ts";

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

test.each(vectors.values as Vector[])(
  "as every reader of the contract: %j",
  ({ type, given, reads, problem, ...rest }) => {
    const contract = contractWith(variable("V", { type, description: "what it is", ...rest }));
    const read = () => readConfig(contract, { V: given }, (reader) => ({ value: by[type]?.(reader) })).value;
    if (problem === undefined) expect(read()).toEqual(reads);
    else expect(read).toThrow(`example-service: cannot start: V ${problem}`);
  },
);

test("a status has the code of every stack, and says when to come again", () => {
  expect(codes).toEqual(vectors.errors);
  const said = Object.keys(codes).map((status) => [status, retryAfter(Number(status))["retry-after"]]);
  expect(Object.fromEntries(said.filter(([, seconds]) => seconds))).toEqual(vectors.retryAfter);
});

test("limits are those of every stack", () => {
  expect(limits).toEqual(vectors.limits);
});

test("a request id is kept in one form, and made anew otherwise", () => {
  for (const id of vectors.requestIds.kept) expect(requestId(id)).toBe(id);
  for (const id of [...vectors.requestIds.replaced, undefined, null, ["Caller-1"]]) {
    expect(requestId(id)).toMatch(/^[\da-f-]{36}$/);
  }
});

test("a text is blank when nothing of it can be seen", () => {
  for (const text of vectors.blank) expect([text, isBlank(text)]).toEqual([text, true]);
  for (const text of vectors.visible) expect([text, isBlank(text)]).toEqual([text, false]);
});
