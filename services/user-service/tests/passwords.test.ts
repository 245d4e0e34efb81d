import { lookup } from "node:dns/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hashPassword, verifyPassword } from "../src/passwords.ts";
import { address, type Harness, post, signUp, someone, startHarness } from "./harness.ts";

describe("passwords", () => {
  test("are known again in every Unicode form of the same text, and no other is", async () => {
    const stored = await hashPassword("Zürich 8001");
    expect(await verifyPassword("Zu\u0308rich 8001", stored)).toBe(true);
    expect(await verifyPassword("Zurich 8001", stored)).toBe(false);
  });

  test("leave the looking up of names a thread, however many are hashed at once", async () => {
    let hashed = 0;
    const hashes = Array.from({ length: 12 }, () => hashPassword("x").then(() => hashed++));
    await lookup("localhost");
    expect(hashed).toBeLessThan(6);
    await Promise.all(hashes);
  });
});

/** As many passwords as may be hashed and wait; those that wait are given up with the function that comes back. */
function fillTheQueue(): () => Promise<PromiseSettledResult<string>[]> {
  const gone = new AbortController();
  const hashes = Promise.allSettled(Array.from({ length: 3 + 16 }, () => hashPassword("x", gone.signal)));
  return () => {
    gone.abort();
    return hashes;
  };
}

describe("while as many passwords wait as may", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.close());

  test("no other is taken, and those whose clients go are never hashed", async () => {
    const giveUp = fillTheQueue();
    await expect(hashPassword("one more")).rejects.toMatchObject({ status: 503, code: "busy" });
    const results = await giveUp();
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    const reasons = results.flatMap((result) => (result.status === "rejected" ? [result.reason.code] : []));
    expect(reasons).toEqual(Array(16).fill("client_gone"));
    expect(await hashPassword("again")).toMatch(/^\$scrypt\$/);
  });

  test("people are told to come again, and what they tried does not count", async () => {
    const [person, from] = [someone(), address()];
    await signUp(harness.server, person);
    const giveUp = fillTheQueue();
    for (let n = 0; n < 12; n++) {
      const { status, body, headers } = await post(harness.server, "/auth/sign-in", person, from);
      expect([status, body.error?.code, headers["retry-after"]]).toEqual([503, "busy", "5"]);
    }
    expect((await post(harness.server, "/auth/sign-up", someone(), from)).status).toBe(503);
    await giveUp();
    expect((await post(harness.server, "/auth/sign-in", person, from)).status).toBe(200);
  });

  test("a sign-up whose client goes before its turn makes no account", async () => {
    const { server } = harness.replica();
    const arrived = new Promise<void>((resolve) => server.addHook("preHandler", async () => resolve()));
    const url = await server.listen({ host: "127.0.0.1", port: 0 });
    const before = [hashPassword("x"), hashPassword("x"), hashPassword("x")];
    const person = someone();
    const leaving = new AbortController();
    const headers = { "content-type": "application/json", "x-forwarded-for": address() };
    const init = { method: "POST", headers, body: JSON.stringify(person), signal: leaving.signal };
    const asking = fetch(`${url}/auth/sign-up`, init);
    await arrived;
    leaving.abort();
    await expect(asking).rejects.toThrow();
    await Promise.all(before);
    expect((await post(harness.server, "/auth/sign-up", person)).status).toBe(201);
  });
});
