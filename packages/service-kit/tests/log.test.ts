import { describe, expect, test } from "vitest";
import vectors from "../../contract/vectors.json" with { type: "json" };
import { recordedLog } from "./lines.ts";

test("an event is one JSON line with time, level, msg, service and what belongs to it", () => {
  const { log, lines } = recordedLog();
  log.warn({ userId: "u" }, "two\nlines");
  expect(lines).toHaveLength(1);
  expect(lines[0]?.trimEnd()).not.toContain("\n");
  const { time, ...rest } = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
  expect(new Date(String(time)).getTime()).toBeGreaterThan(0);
  expect(rest).toEqual({ level: "warn", msg: "two\nlines", service: "example-service", userId: "u" });
});

test("as text, an event is one line of pairs, the same in every stack", () => {
  const { log, lines } = recordedLog("text");
  log[vectors.logText.level as "warn"](vectors.logText.fields, vectors.logText.msg);
  expect(lines.join("")).toMatch(/^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /);
  expect(
    lines
      .join("")
      .replace(/^time=\S+ /, "")
      .replace("example-service", "some-service"),
  ).toBe(`${vectors.logText.line}\n`);
});

describe("an error in the log", () => {
  test("has its type, code, message, stack and cause", () => {
    const { log, lines } = recordedLog();
    log.error(
      { err: new TypeError("outer", { cause: Object.assign(new Error("inner"), { code: "ECONNREFUSED" }) }) },
      "failed",
    );
    const { error, code, stack } = JSON.parse(lines[0] ?? "") as Record<string, string>;
    expect([error, code]).toEqual(["TypeError: outer: Error: inner", "ECONNREFUSED"]);
    expect(stack).toContain("log.test.ts");
  });

  test("repeats no parameters of a statement", () => {
    const { log, lines } = recordedLog();
    const cause = Object.assign(new Error("duplicate key"), {
      code: "23505",
      detail: "Key (email)=(ann@example.org) exists",
    });
    const failed = Object.assign(new Error("Failed query: insert params: ann@example.org", { cause }), {
      query: "insert",
      params: ["ann@example.org"],
    });
    log.error({ err: failed }, "failed");
    expect(lines[0]).toContain("duplicate key");
    expect(lines[0]).not.toContain("ann@example.org");
  });
});
