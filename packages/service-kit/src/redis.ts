import type { Logger, Secret } from "@nextai/service-kit";
import { createClient } from "@redis/client";

/** The little that this service asks of Redis. Every call rejects at once while Redis is away. */
export interface Redis {
  /** Runs a Lua script, which Redis runs as one step. */
  run(script: string, keys: readonly string[], values: readonly string[]): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  ping(signal?: AbortSignal): Promise<unknown>;
  close(): Promise<void>;
}

const patience = 500; // milliseconds that a sign-in waits for Redis

/** Connects in the background, and again and again while Redis is away; the service starts without it. */
export function connectRedis(url: Secret, log: Logger): Redis {
  const client = createClient({
    url: url.reveal(),
    disableOfflineQueue: true,
    commandOptions: { timeout: patience },
    socket: { connectTimeout: 2_000, reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 2_000) },
  });
  let reported = false; // one line when it goes and one when it comes back, not one an attempt
  client.on("error", (err) => {
    if (!reported) log.warn({ err }, "Redis is away");
    reported = true;
  });
  client.on("ready", () => {
    if (reported) log.info("Redis is back");
    reported = false;
  });
  client.connect().catch((err: unknown) => log.debug({ err }, "gave up connecting to Redis"));
  return {
    run: (script, keys, values) => client.eval(script, { keys: [...keys], arguments: [...values] }),
    delete: (key) => client.del(key),
    ping: () => client.ping(),
    async close() {
      client.destroy();
    },
  };
}
