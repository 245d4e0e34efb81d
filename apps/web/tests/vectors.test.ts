import { expect, test } from "vitest";
import vectors from "../../../packages/contract/vectors.json" with { type: "json" };
import { readEnvironment } from "../src/server/contract.ts";

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
