// The process: checks the environment, then becomes the Next.js server that `next build` made beside this file.
import { config, SERVICE, VERSION } from "./src/server/config.ts";
import { ConfigError } from "./src/server/contract.ts";
import { captureConsole, log } from "./src/server/log.ts";
import { endConnections, watchRequests } from "./src/server/requests.ts";

/** In this time after SIGTERM, in milliseconds, connections that are kept learn from their next answer that they end. */
const DRAIN = 3_000;

/** Unfinished requests get this long after that, in milliseconds. */
const GRACE = 10_000;

/**
 * Idle connections are kept this long, in milliseconds.
 *
 * Longer than a proxy in front keeps them (Traefik: 90 s, its idleConnTimeout), so that it is the proxy that closes one:
 * a request that is sent while this server closes is lost, and a POST is not sent again. Node.js would take 5 s.
 */
const KEEP_ALIVE = 95_000;

function main(): Promise<unknown> {
  const { host, port } = config();
  captureConsole();
  watchRequests();
  // Next.js knows the address by other names. On SIGTERM it would close idle connections at once.
  process.env.NEXT_MANUAL_SIG_HANDLE = "true";
  process.env.HOSTNAME = host;
  process.env.PORT = String(port);
  process.env.NEXT_TELEMETRY_DISABLED = "1";
  process.env.KEEP_ALIVE_TIMEOUT ||= String(KEEP_ALIVE);
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop(signal));
  log("info", "starting", { host, port, version: VERSION });
  const server = new URL("./server.js", import.meta.url).href;
  return import(server);
}

let stopping = false;

function stop(signal: string): void {
  if (stopping) return;
  stopping = true;
  log("info", "stopping", { signal });
  setTimeout(() => {
    log("warn", "requests were cut off", { afterMs: DRAIN + GRACE });
    process.exit(0);
  }, DRAIN + GRACE).unref();
  void endConnections(DRAIN).finally(() => {
    log("info", "stopped");
    process.exit(0);
  });
}

try {
  await main();
} catch (error) {
  const known = error instanceof ConfigError;
  process.stderr.write(known ? `${error.message}\n` : `${SERVICE}: cannot start: ${String(error)}\n`);
  process.exit(known ? 2 : 1);
}
