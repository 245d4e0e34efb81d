import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { Composer } from "../src/components/composer.tsx";
import { refusal, rest, room, stores, tally } from "../src/session/draft.ts";

const full = "a".repeat(4000);

test("the field takes a text that is too long, so that a paste is never cut", () => {
  const page = renderToStaticMarkup(createElement(Composer, { onStore: async () => true }));
  expect(page).toContain("<textarea");
  expect(page).not.toMatch(/maxlength/i);
});

test("nothing is refused before somebody wants to store it", () => {
  const page = renderToStaticMarkup(createElement(Composer, { onStore: async () => true }));
  expect(page).toContain('aria-invalid="false"');
  expect(page).not.toContain('role="alert"');
});

test.each([
  ["", "Write something first."],
  [" \n\t ", "Write something first."],
  ["a", ""],
  [full, ""],
  [`\n${full}  `, ""],
  ["🎈".repeat(4000), ""],
  [`${full}a`, "Too long to store: a memory has at most 4000 characters. Nothing was cut off."],
])("what memory-service would refuse is refused here, and nothing else", (text, said) => {
  expect(refusal(text)).toBe(said);
});

test("a text that grows longer still is refused in the same words, so that they are read out once", () => {
  expect(refusal(`${full}ab`)).toBe(refusal(`${full}a`));
});

test.each([
  [3600, ""],
  [3601, "399 left"],
  [4000, "0 left"],
  [4001, "1 character too long"],
  [5234, "1234 characters too long"],
])("beside a text of %s characters stands how far it is from the limit", (length, said) => {
  expect(tally("記".repeat(length))).toBe(said);
  expect(room("🎈".repeat(length))).toBe(4000 - length);
});

test.each([
  ["plum cake", ""],
  [" plum cake\n", ""],
  ["plum cake\nless sugar ", "less sugar "],
  ["plum cakes", "s"],
  ["apple cake", "apple cake"],
  ["", ""],
])("of %j in the field, only what came while it was being stored is left", (text, left) => {
  expect(rest(text, "plum cake")).toBe(left);
});

const enter = { key: "Enter", shiftKey: false, isComposing: false, keyCode: 13 };

test.each([
  ["Enter", enter, true],
  ["Shift and Enter", { ...enter, shiftKey: true }, false],
  ["another key", { ...enter, key: "a", keyCode: 65 }, false],
  ["Enter that confirms a candidate", { ...enter, isComposing: true, keyCode: 229 }, false],
  ["Enter that confirms a candidate in Safari", { ...enter, keyCode: 229 }, false],
])("%s stores, or does not", (_name, key, does) => {
  expect(stores(key)).toBe(does);
});
