import { createHash } from "node:crypto";
import type { Logger } from "@nextai/service-kit";
import type { Redis } from "./redis.ts";

export const allowed = 10; // sign-ins of one account that may fail …
export const period = 15 * 60; // … in so many seconds

export interface Attempts {
  /** Counts an attempt before the password is looked at; null when it may go on, else the seconds to wait. */
  begin(email: string): Promise<number | null>;
  /** The attempt succeeded: the account starts afresh. */
  succeeded(email: string): Promise<void>;
}

// Counting first and looking after leaves no gap that many attempts at once could slip through.
const count = `
local attempts = redis.call("INCR", KEYS[1])
if attempts == 1 then redis.call("EXPIRE", KEYS[1], ARGV[1]) end
return {attempts, redis.call("TTL", KEYS[1])}`;

/** Counts sign-in attempts per account in Redis, for all replicas. While Redis is away people can still sign in. */
export function createAttempts(redis: Redis, log: Logger): Attempts {
  async function orElse<T>(fallback: T, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      log.warn({ err }, "sign-in attempts are not limited: Redis does not answer");
      return fallback;
    }
  }

  return {
    begin: (email) =>
      orElse(null, async () => {
        const [attempts, left] = (await redis.run(count, [keyOf(email)], [String(period)])) as [number, number];
        return attempts > allowed ? Math.max(left, 1) : null;
      }),
    succeeded: (email) =>
      orElse(undefined, async () => {
        await redis.delete(keyOf(email));
      }),
  };
}

/** Hashed, so that Redis is no list of people's addresses. */
function keyOf(email: string): string {
  return `user-service:sign-in:${createHash("sha256").update(email.toLowerCase()).digest("hex")}`;
}
