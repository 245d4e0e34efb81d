import type { Contract, Variable } from "./contract.ts";

/** A variable of a test. */
export function variable(name: string, facts: Partial<Variable> = {}): Variable {
  return {
    name,
    type: "string",
    required: false,
    default: null,
    secret: false,
    minLength: null,
    values: [],
    description: `What ${name} is`,
    ...facts,
  };
}

/** A service with what every service has, and the variables of a test. */
export function contractWith(...variables: readonly Variable[]): Contract {
  return {
    service: "example-service",
    port: 8099,
    variables: [
      variable("HOST", { default: "127.0.0.1" }),
      variable("PORT", { type: "port", default: "8099" }),
      variable("LOG_LEVEL", { type: "enum", values: ["debug", "info", "warn", "error"], default: "info" }),
      variable("LOG_FORMAT", { type: "enum", values: ["json", "text"], default: "json" }),
      ...variables,
    ],
  };
}
