import { expect, test } from "vitest";
import vectors from "../../../packages/contract/vectors.json" with { type: "json" };
import { readEnvironment } from "../src/server/contract.ts";
import { requestId } from "../src/server/requests.ts";
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
