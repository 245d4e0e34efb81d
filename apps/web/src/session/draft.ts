// A memory that is being written, by the rule of memory-service (services/memory-service/memory_service/routes.py): 1 to
// 4000 characters, white space at the ends aside.

import { isBlank } from "@nextai/web-kit/text";

const LONGEST = 4000;
const NEAR = 400;

/** How many characters there is room for; below 0, how many are too many. One is a code point, as for the service. */
export function room(text: string): number {
  return LONGEST - [...text.trim()].length;
}

/** What stands beside the field: nothing while the limit is far. */
export function tally(text: string): string {
  const left = room(text);
  if (left >= NEAR) return "";
  if (left >= 0) return `${left} left`;
  return left === -1 ? "1 character too long" : `${-left} characters too long`;
}

/** Why it cannot be stored; empty where it can. No number that changes is in it: it is read out whenever it changes. */
export function refusal(text: string): string {
  if (isBlank(text)) return "Write something first.";
  return room(text) < 0 ? `Too long to store: a memory has at most ${LONGEST} characters. Nothing was cut off.` : "";
}

/** What stays in the field once `stored` is: what was typed after it meanwhile, or all of it where that was changed. */
export function rest(text: string, stored: string): string {
  const written = text.trimStart();
  return written.startsWith(stored) ? written.slice(stored.length).trimStart() : text;
}

/** Whether a key stores what is written; Enter belongs to an input method (Chinese, Japanese, …) while that composes. */
export function stores(key: Pick<KeyboardEvent, "key" | "shiftKey" | "isComposing" | "keyCode">): boolean {
  // Safari ends the composition before it tells of the Enter that did so; only the deprecated keyCode then sets it apart.
  const composing = key.isComposing || key.keyCode === 229;
  return key.key === "Enter" && !key.shiftKey && !composing;
}
