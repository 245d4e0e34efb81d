import { createHash } from "node:crypto";
import type { Logger } from "@nextai/service-kit";
import type { Redis } from "@nextai/service-kit/redis";

export const period = 15 * 60; // seconds, from the first that is counted, in which no more than these are let through:
/** From one client at one account: a person who tries to remember. */
export const mostOfPair = 10;
/**
 * At one account, whoever tries: far above what one client may, or anybody could lock anybody out. Those that succeed stay
 * counted: each costs a hash and leaves a row for 30 days.
 */
export const mostOfAccount = 100;
/**
 * From one client, sign-ups and failures: an office behind one address fits in. It bounds what a client can guess; what its
 * sign-ins keep others waiting is bounded by the places it may have at a time (places.ts).
 */
export const mostOfClient = 100;
/**
 * Refreshes by one person, each of which leaves a row for 30 days. Each of web's six pods may renew a session once per
 * access token, so a dozen devices fit in even where those live for 15 minutes only.
 */
export const mostRefreshes = 100;

/** A sign-up; with the address of an account, a sign-in. */
export interface Attempt {
  /** The network that it comes from. */
  readonly client: string;
  readonly email?: string;
}

export type SignIn = Required<Attempt>;

export interface Attempts {
  /** Counts an attempt before the password is looked at; null when it may go on, else the seconds to wait. */
  begin(attempt: Attempt): Promise<number | null>;
  /** Takes a sign-in out of the client's count; the client starts afresh at this account. */
  succeeded(attempt: SignIn): Promise<void>;
  /** Counts a refresh by a person; null when it may go on, else the seconds to wait. */
  refresh(userId: string): Promise<number | null>;
  /** Takes an attempt out of the counts that came to nothing through no doing of the client. */
  takeBack(attempt: Attempt): Promise<void>;
}

// Looking and counting are one step, which leaves no gap that many attempts at once could slip through. What is refused
// is counted nowhere: a client that goes on and on uses up its own limit, and not the account's.
const count = `
local wait = 0
for i, key in ipairs(KEYS) do
  if tonumber(redis.call("GET", key) or 0) >= tonumber(ARGV[i + 1]) then wait = math.max(wait, redis.call("TTL", key), 1) end
end
if wait > 0 then return wait end
for _, key in ipairs(KEYS) do
  if redis.call("INCR", key) == 1 then redis.call("EXPIRE", key, ARGV[1]) end
end
return 0`;

// A count that has expired since stays away.
const uncount = `
for _, key in ipairs(KEYS) do
  if tonumber(redis.call("GET", key) or 0) > 0 then redis.call("DECR", key) end
end`;

/** Counts attempts in Redis, for all replicas. While Redis is away people can still sign up, sign in and refresh. */
export function createAttempts(redis: Redis, log: Logger): Attempts {
  async function orElse<T>(fallback: T, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (err) {
      log.warn({ err }, "attempts are not limited: Redis does not answer");
      return fallback;
    }
  }

  function counted({ keys, limits }: Counts): Promise<number | null> {
    return orElse(null, async () => {
      const wait = (await redis.run(count, keys, [period, ...limits].map(String))) as number;
      return wait > 0 ? wait : null;
    });
  }

  return {
    begin: (attempt) => counted(countsOf(attempt)),
    refresh: (userId) => counted({ keys: [key("refreshes", userId)], limits: [mostRefreshes] }),
    succeeded: ({ client, email }) =>
      orElse(undefined, async () => {
        await Promise.all([redis.run(uncount, [clientKey(client)], []), redis.delete(pairKey(email, client))]);
      }),
    takeBack: (attempt) =>
      orElse(undefined, async () => {
        await redis.run(uncount, countsOf(attempt).keys, []);
      }),
  };
}

interface Counts {
  readonly keys: string[];
  readonly limits: number[];
}

function countsOf({ client, email }: Attempt): Counts {
  if (email === undefined) return { keys: [clientKey(client)], limits: [mostOfClient] };
  return {
    keys: [clientKey(client), accountKey(email), pairKey(email, client)],
    limits: [mostOfClient, mostOfAccount, mostOfPair],
  };
}

const clientKey = (client: string): string => key("client", client);
const accountKey = (email: string): string => key("account", email.toLowerCase());
const pairKey = (email: string, client: string): string => key("pair", `${email.toLowerCase()} ${client}`);

/** Hashed, so that Redis is no list of people's addresses. */
function key(of: string, text: string): string {
  return `user-service:attempts:${of}:${createHash("sha256").update(text).digest("hex")}`;
}
