import { isBlank } from "@nextai/web-kit/text";
import { expect, test } from "vitest";
import vectors from "../../../packages/contract/vectors.json" with { type: "json" };
import { refusal } from "../src/session/draft.ts";

test("a text is blank when nothing of it can be seen, and no memory", () => {
  for (const text of vectors.blank) {
    expect([text, isBlank(text), refusal(text)]).toEqual([text, true, "Write something first."]);
  }
  for (const text of vectors.visible) expect([text, isBlank(text), refusal(text)]).toEqual([text, false, ""]);
});
