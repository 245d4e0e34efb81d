import type { Contract, Variable } from "./contract.ts";
import { Secret } from "./secret.ts";

/** Every variable that is missing or invalid, each with what it should be; never with a secret's value. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(service: string, problems: readonly string[]) {
    super(`${service}: cannot start: ${problems.join("; ")}`);
    this.name = "ConfigError";
    this.problems = problems;
  }
}

/** Reads the variables of a contract by the type that the contract gives them. */
export interface Reader {
  string(name: string): string;
  secret(name: string): Secret;
  int(name: string): number;
  port(name: string): number;
  /** Seconds. */
  duration(name: string): number;
  bool(name: string): boolean;
  list(name: string): readonly string[];
  enum<const T extends string>(name: string, values: readonly T[]): T;
}

/** What every service has, whatever else it reads. */
export interface ServiceConfig {
  readonly host: string;
  readonly port: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export const logLevels = ["debug", "info", "warn", "error"] as const;
export const logFormats = ["json", "text"] as const;
export type LogLevel = (typeof logLevels)[number];
export type LogFormat = (typeof logFormats)[number];
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Checks the whole contract against the environment, then lets `pick` take the values.
 *
 * All problems are found before the first value is handed out, so that a person mends them in one go.
 * Throws ConfigError with every problem.
 */
export function readConfig<T>(contract: Contract, env: Environment, pick: (read: Reader) => T): T & ServiceConfig {
  const problems = contract.variables.flatMap((variable) => problemOf(variable, env) ?? []);
  if (problems.length > 0) throw new ConfigError(contract.service, problems);
  const read = reader(contract, env);
  return {
    host: read.string("HOST"),
    port: read.port("PORT"),
    logLevel: read.enum("LOG_LEVEL", logLevels),
    logFormat: read.enum("LOG_FORMAT", logFormats),
    ...pick(read),
  };
}

/** An empty value counts as missing, as in Compose files and ConfigMaps that leave a value open. */
function given(variable: Variable, env: Environment): string | null {
  return env[variable.name] || variable.default;
}

function problemOf(variable: Variable, env: Environment): string | null {
  const value = given(variable, env);
  if (value === null || value === "" || (variable.type === "list" && items(value).length === 0)) {
    return variable.required ? `${variable.name} is required (${variable.description})` : null;
  }
  const expected = expectation(variable, value);
  return expected === null ? null : `${variable.name} must ${expected}`;
}

// What the types accept is one specification, with examples that every reader runs: packages/contract/README.md.
function expectation(variable: Variable, value: string): string | null {
  if (variable.minLength !== null && [...value].length < variable.minLength) {
    return `have ${variable.minLength} characters or more`;
  }
  switch (variable.type) {
    case "url":
      return isUrl(value) ? null : "be a URL";
    case "int":
      return /^-?[0-9]{1,15}$/.test(value) ? null : "be a whole number";
    case "port":
      return isPort(value) && Number(value) >= 1 ? null : "be a port number, 1 to 65535";
    case "duration":
      return seconds(value) === null ? "be a duration such as 15m, 12h or 7d" : null;
    case "bool":
      return value === "true" || value === "false" ? null : "be true or false";
    case "enum":
      return variable.values.includes(value) ? null : `be one of ${variable.values.join(", ")}`;
    default:
      return null;
  }
}

function isPort(value: string): boolean {
  return /^[0-9]{1,5}$/.test(value) && Number(value) <= 65535;
}

const url =
  /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^\s/?#@]*@)?(?:[^\s/?#@:[\]]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?#]\S*)?$/;

function isUrl(value: string): boolean {
  const match = url.exec(value);
  return match !== null && (match[1] === undefined || isPort(match[1]));
}

const units: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const longest = 36_500 * 86_400_000; // milliseconds

/** `90s`, `15m`, `7d`, `1h30m` in whole seconds; null when it is no duration of a second to 36,500 days. */
export function seconds(text: string): number | null {
  if (!/^([0-9]{1,9}(ms|s|m|h|d|w))+$/.test(text)) return null;
  const parts = text.matchAll(/([0-9]+)(ms|s|m|h|d|w)/g);
  const total = [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * (units[unit ?? ""] ?? 0), 0);
  return total >= 1_000 && total <= longest ? Math.floor(total / 1_000) : null;
}

/** The items of a list, without the spaces and tabs around them; empty ones do not count. */
function items(text: string): string[] {
  return text
    .split(",")
    .map((item) => item.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((item) => item !== "");
}

function reader(contract: Contract, env: Environment): Reader {
  const byName = new Map(contract.variables.map((variable) => [variable.name, variable]));

  // A variable outside the contract, or read as another type, is a mistake in the code, not in the environment.
  function take(name: string, ...types: readonly string[]): string {
    const variable = byName.get(name);
    if (variable === undefined) throw new TypeError(`${name} is not in the contract of ${contract.service}`);
    if (!types.includes(variable.type))
      throw new TypeError(`${name} is a ${variable.type}, not a ${types.join(" or ")}`);
    return given(variable, env) ?? "";
  }

  return {
    string: (name) => take(name, "string", "url"),
    secret: (name) => new Secret(take(name, "string", "url")),
    int: (name) => Number(take(name, "int")),
    port: (name) => Number(take(name, "port")),
    duration: (name) => seconds(take(name, "duration")) ?? 0,
    bool: (name) => take(name, "bool") === "true",
    list: (name) => items(take(name, "list")),
    enum<const T extends string>(name: string, values: readonly T[]): T {
      const value = take(name, "enum");
      const found = values.find((known) => known === value);
      if (found === undefined) throw new TypeError(`${name} allows ${value}, which ${contract.service} does not know`);
      return found;
    },
  };
}
