import { lookup } from "node:dns/promises";
import { describe, expect, test } from "vitest";
import { hashPassword, verifyPassword } from "../src/passwords.ts";

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
