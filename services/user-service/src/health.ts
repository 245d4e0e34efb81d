import type { Checks } from "@nextai/service-kit";
import type { Redis } from "./redis.ts";
import type { Store } from "./store.ts";

/** PostgreSQL must answer and have the tables that this version reads; Redis must answer. */
export function checks(store: Store, redis: Redis): Checks {
  return { postgres: () => store.check(), redis: (signal) => redis.ping(signal) };
}
