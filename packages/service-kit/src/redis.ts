import { limits, type Secret } from "@nextai/contract";
import { createClient } from "@redis/client";
import type { Logger } from "./log.ts";
import { Silent } from "./silent.ts";

/** The little that services ask of Redis. Every call rejects at once while Redis is away or known to be silent. */
export interface Redis {
  /** Runs a Lua script, which Redis runs as one step. */
  run(script: string, keys: readonly string[], values: readonly string[]): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  ping(): Promise<unknown>;
  close(): Promise<void>;
}

/** Milliseconds that one command may take, from when it is asked to its answer. */
export const commandLimit = limits.optionalMs;

/** Connects in the background, and again and again while Redis is away; the service starts without it. */
export function connectRedis(url: Secret, log: Logger): Redis {
  const client = createClient({
    url: url.reveal(),
    disableOfflineQueue: true,
    // A peer that is gone without a word (no FIN, no RST) is given up, since not even these pings are answered.
    pingInterval: 2_000,
    socket: {
      connectTimeout: limits.silenceMs,
      socketTimeout: 5_000,
      reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 2_000),
    },
  });
  let away = false; // one line when it goes and one when it comes back, not one an attempt
  let silent = false; // it has a connection, and does not answer on it
  client.on("error", (err) => {
    if (!away) log.warn({ err }, "Redis is away");
    away = true;
  });
  const answers = (): void => {
    if (away || silent) log.info("Redis is back");
    away = silent = false;
  };
  client.on("ready", answers);
  client.connect().catch((err: unknown) => log.debug({ err }, "gave up connecting to Redis"));

  /** From now on nobody waits, until what is asked here is answered; a broken connection is followed by "ready". */
  function leaveAlone(): void {
    if (silent) return;
    silent = true;
    log.warn("Redis is silent");
    client.ping().then(answers, () => {});
  }

  /**
   * The client's own `timeout` ends with the sending of a command, and a frozen server takes whatever is sent: its answer
   * is what has to be waited for no longer than this.
   */
  async function limited<T>(command: () => Promise<T>): Promise<T> {
    if (silent) throw new Silent("Redis", commandLimit);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      leaveAlone();
      late.reject(new Silent("Redis", commandLimit));
    }, commandLimit);
    try {
      return await Promise.race([command(), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    run: (script, keys, values) => limited(() => client.eval(script, { keys: [...keys], arguments: [...values] })),
    delete: (key) => limited(() => client.del(key)),
    ping: () => limited(() => client.ping()),
    async close() {
      client.destroy();
    },
  };
}
