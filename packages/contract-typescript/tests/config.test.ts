import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { ConfigError, readConfig, seconds } from "../src/index.ts";
import { contractWith, variable } from "../src/testing.ts";

const nothing = () => ({});

function problems(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

describe("a wrong environment", () => {
  const contract = contractWith(
    variable("DATABASE_URL", {
      type: "url",
      required: true,
      secret: true,
      description: "PostgreSQL connection string",
    }),
    variable("JWT_SECRET", { required: true, secret: true, minLength: 32 }),
    variable("LIFETIME", { type: "duration", default: "7d" }),
    variable("LIMIT", { type: "int", default: "5" }),
  );

  test("is told in one line, with every variable that is missing or invalid", () => {
    const message = problems(() =>
      readConfig(
        contract,
        { JWT_SECRET: "short", PORT: "70000", LIFETIME: "soon", LIMIT: "1.5", LOG_FORMAT: "xml" },
        nothing,
      ),
    );
    expect(message).toBe(
      "example-service: cannot start: PORT must be a port number, 1 to 65535; LOG_FORMAT must be one of json, text; " +
        "DATABASE_URL is required (PostgreSQL connection string); JWT_SECRET must have 32 characters or more; " +
        "LIFETIME must be a duration such as 15m, 12h or 7d; LIMIT must be a whole number",
    );
  });

  test("never shows the value of a secret", () => {
    const message = problems(() => readConfig(contract, { DATABASE_URL: "hunter2", JWT_SECRET: "hunter3" }, nothing));
    expect(message).not.toContain("hunter");
  });

  test("counts an empty value as missing", () => {
    expect(problems(() => readConfig(contract, { DATABASE_URL: "", JWT_SECRET: "x".repeat(32) }, nothing))).toContain(
      "DATABASE_URL is required",
    );
  });
});

describe("a right environment", () => {
  const contract = contractWith(
    variable("KEY", { required: true, secret: true }),
    variable("LIFETIME", { type: "duration", default: "15m" }),
    variable("LIMIT", { type: "int", default: "5" }),
    variable("ORIGINS", { type: "list", default: "" }),
  );

  test("gives typed values, and defaults where nothing or an empty value is set", () => {
    const config = readConfig(contract, { KEY: "k", LIMIT: "7", PORT: "", ORIGINS: "a, b,," }, (read) => ({
      lifetime: read.duration("LIFETIME"),
      limit: read.int("LIMIT"),
      origins: read.list("ORIGINS"),
    }));
    expect(config).toEqual({
      host: "127.0.0.1",
      port: 8099,
      logLevel: "info",
      logFormat: "json",
      lifetime: 900,
      limit: 7,
      origins: ["a", "b"],
    });
  });

  test("shows no secret when the configuration is printed", () => {
    const config = readConfig(contract, { KEY: "hunter2" }, (read) => ({ key: read.secret("KEY") }));
    expect(`${inspect(config)} ${JSON.stringify(config)} ${config.key}`).not.toContain("hunter2");
    expect(config.key.reveal()).toBe("hunter2");
  });

  test("reads nothing that is outside the contract, or of another type than there", () => {
    expect(() => readConfig(contract, { KEY: "k" }, (read) => ({ a: read.string("OTHER") }))).toThrow(
      "OTHER is not in the contract",
    );
    expect(() => readConfig(contract, { KEY: "k" }, (read) => ({ a: read.string("LIMIT") }))).toThrow("LIMIT is a int");
  });
});

test.each([
  ["90s", 90],
  ["15m", 900],
  ["12h", 43_200],
  ["7d", 604_800],
  ["1h30m", 5_400],
  ["0s", null],
  ["500ms", null],
  ["7", null],
  ["-1d", null],
  ["7 d", null],
  ["", null],
])("the duration %j is %j seconds", (text, expected) => {
  expect(seconds(text)).toBe(expected);
});
