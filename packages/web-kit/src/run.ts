import { limits } from "@nextai/contract";
import { type AppConfig, ConfigError, VERSION } from "./config.ts";
import type { Words } from "./front.ts";
import { captureConsole, createLog } from "./log.ts";
import { endConnections, watchRequests } from "./requests.ts";

/** Unfinished requests are cut off so long after SIGTERM, in milliseconds. */
const END = limits.drainMs + limits.farewellMs;

/**
 * Idle connections are kept this long, in milliseconds.
 *
 * Longer than a proxy in front keeps them (Traefik: 90 s, its idleConnTimeout), so that it is the proxy that closes one:
 * a request that is sent while this server closes is lost, and a POST is not sent again. Node.js would take 5 s.
 */
const KEEP_ALIVE = 95_000;

/** An application: its name, its configuration, what it says to a person whose address cannot be read, and its server. */
export type App = {
  service: string;
  /** Throws ConfigError. */
  config: () => AppConfig;
  words: Words;
  /** The server.js that `next build` made. */
  server: URL;
};

/** Checks the environment, then becomes the Next.js server. Exits with 2 when the environment is wrong, and 1 after another failure. */
export async function runApp(app: App): Promise<void> {
  try {
    await start(app);
  } catch (error) {
    const known = error instanceof ConfigError;
    process.stderr.write(known ? `${error.message}\n` : `${app.service}: cannot start: ${String(error)}\n`);
    process.exit(known ? 2 : 1);
  }
}

function start({ service, config, words, server }: App): Promise<unknown> {
  const { host, port } = config();
  const log = createLog(service, config);
  captureConsole(log);
  watchRequests(log, words);
  // Next.js knows the address by other names. On SIGTERM it would close idle connections at once.
  process.env.NEXT_MANUAL_SIG_HANDLE = "true";
  process.env.HOSTNAME = host;
  process.env.PORT = String(port);
  process.env.NEXT_TELEMETRY_DISABLED = "1";
  process.env.KEEP_ALIVE_TIMEOUT ||= String(KEEP_ALIVE);
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log("info", "stopping", { signal });
    setTimeout(() => {
      log("warn", "requests were cut off", { afterMs: END });
      process.exit(0);
    }, END).unref();
    void endConnections(limits.drainMs).finally(() => {
      log("info", "stopped");
      process.exit(0);
    });
  };
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  log("info", "starting", { host, port, version: VERSION });
  return import(server.href);
}
