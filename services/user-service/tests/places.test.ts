import { afterAll, beforeAll, expect, test } from "vitest";
import { mostAtOnce } from "../src/places.ts";
import { type Answer, address, type Harness, type Problem, post, signUp, someone, startHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness?.close());

function signIn(person: object, from?: string): Promise<Answer<Problem>> {
  return post(harness.server, "/auth/sign-in", person, from);
}

/** How many of the answers have which status. */
async function statuses(asked: Promise<Answer<Problem>>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const { status } of await Promise.all(asked)) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

test("who signs in forty times at once, with the right password, keeps nobody else out", async () => {
  const [person, other] = [someone(), someone()];
  await signUp(harness.server, person);
  await signUp(harness.server, other);
  const from = address();
  const asked = Array.from({ length: 40 }, () => signIn(person, from));
  expect((await signIn(other)).status).toBe(200);
  expect(await statuses(asked)).toEqual({ 200: mostAtOnce, 429: 40 - mostAtOnce });
  const later = await signIn(person, from);
  expect(later.status, "when the others are done").toBe(200);
});

test("one account has no more places from many networks, one network none from many accounts", async () => {
  const person = someone();
  await signUp(harness.server, person);
  const atOneAccount = Array.from({ length: 8 }, () => signIn(person));
  expect(await statuses(atOneAccount)).toEqual({ 200: mostAtOnce, 429: 8 - mostAtOnce });
  const from = address();
  const ofOneNetwork = Array.from({ length: 8 }, () => signIn(someone(), from));
  expect(await statuses(ofOneNetwork)).toEqual({ 401: mostAtOnce, 429: 8 - mostAtOnce });
  expect((await signIn(someone(), from)).status, "a failure gives its place back").toBe(401);
});
