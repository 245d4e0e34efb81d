import { expect, test } from "vitest";
import { messageFor, problemOf, waitOf } from "../src/session/messages.ts";

test("a field that the service refused is named, with what it takes", () => {
  expect(messageFor({ code: "validation", fields: ["name", "password"] })).toBe(
    "The name must be one line of at most 100 characters. The password must have 8 to 256 characters.",
  );
  expect(messageFor({ code: "validation", fields: ["email"] })).toMatch(/email address/);
});

test("a refusal of no field that a form has is still about what was typed", () => {
  expect(messageFor({ code: "validation", fields: ["body", "constructor"] })).toBe("Please check what you typed.");
  expect(messageFor({ code: "validation" })).toBe("Please check what you typed.");
});

test.each([
  [undefined, "a few minutes"],
  [1, "1 second"],
  [45, "45 seconds"],
  [60, "1 minute"],
  [61, "2 minutes"],
  [840, "14 minutes"],
])("whoever tried too often reads how long to wait: %s s", (wait, said) => {
  expect(messageFor({ code: "too_many_attempts", wait })).toContain(`${said}`);
  expect(messageFor({ code: "too_many_attempts", wait })).toMatch(/^Too many attempts/);
});

test("codes of the gateway and the services have a message of their own", () => {
  const other = messageFor({ code: "toString" });
  for (const code of ["rate_limited", "unavailable", "upstream_unavailable", "upstream_timeout", "foreign_origin"]) {
    expect(messageFor({ code })).not.toBe(other);
  }
});

test("a wait is a plain number of seconds, or is not known", () => {
  expect([waitOf("840"), waitOf(null), waitOf(""), waitOf("Wed, 21 Oct 2026 07:28:00 GMT"), waitOf("-1")]).toEqual([
    840,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test("an answer that is no error body is a problem without a name", async () => {
  expect(await problemOf(new Response("<html>"))).toEqual({ code: "failed", fields: [], wait: undefined });
});
