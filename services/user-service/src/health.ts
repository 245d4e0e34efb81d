import type { Checks } from "@nextai/service-kit";
import type { Redis } from "@nextai/service-kit/redis";
import type { Store } from "./store.ts";

/** PostgreSQL must answer and have the tables that this version reads: every request asks it. */
export function checks(store: Store): Checks {
  return { postgres: () => store.check() };
}

/** Redis only counts attempts: without it people sign in all the same (attempts.ts). */
export function shown(redis: Redis): Checks {
  return { redis: () => redis.ping() };
}
