import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import {
  ConfigError,
  type Contract,
  type Environment,
  limits,
  type Reader,
  readConfig,
  type ServiceConfig,
} from "@nextai/contract";
import { createLog, type Logger } from "./log.ts";
import type { Server } from "./server.ts";

/** What a service is made of, once its configuration is known. */
export interface Parts {
  readonly server: Server;
  /** Closes the stores; called after the last request has been answered. */
  close(): Promise<void>;
}

/**
 * Runs a service until it is told to stop: reads its configuration, listens, and on SIGTERM or SIGINT ends connections
 * with their next answer, stops accepting, answers what is under way, closes its stores and exits with 0. A wrong configuration is one line and exit code 2.
 */
export async function runService<T>(
  contract: Contract,
  pick: (read: Reader) => T,
  assemble: (config: T & ServiceConfig, log: Logger) => Parts,
  env: Environment = process.env,
): Promise<void> {
  const config = configOrExit(contract, pick, env);
  const log = createLog({ service: contract.service, level: config.logLevel, format: config.logFormat });
  dieLoudly(log);
  try {
    const parts = assemble(config, log);
    stopOnSignal(parts, log);
    await parts.server.listen({
      host: config.host,
      port: config.port,
      listenTextResolver: (address) => `listening on ${address}`,
    });
  } catch (error) {
    process.stderr.write(`${contract.service}: cannot start: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

function configOrExit<T>(contract: Contract, pick: (read: Reader) => T, env: Environment): T & ServiceConfig {
  try {
    return readConfig(contract, env, pick);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

function dieLoudly(log: Logger): void {
  const die = (error: unknown): never => {
    log.error({ err: error }, "unexpected error, exiting");
    process.exit(1);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
}

function stopOnSignal(parts: Parts, log: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, "stopping");
    void stopParts(parts, log).then((code) => process.exit(code));
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}

async function stopParts(parts: Parts, log: Logger): Promise<number> {
  await drained(parts.server);
  const deadline = setTimeout(() => {
    log.warn(`requests still under way after ${limits.farewellMs / 1000} s are cut off`);
    parts.server.server.closeAllConnections();
  }, limits.farewellMs);
  try {
    await parts.server.close();
    await parts.close();
    log.info("stopped");
    return 0;
  } catch (error) {
    log.error({ err: error }, "could not stop cleanly");
    return 1;
  } finally {
    clearTimeout(deadline);
  }
}

/**
 * Serves on while answers say `connection: close`, until no connection is left or the time for it is over. A connection
 * that is closed while it is idle may be one on which a request is just coming: that request would be lost.
 */
async function drained(server: Server): Promise<void> {
  server.endConnections();
  const over = performance.now() + limits.drainMs;
  const open = promisify(server.server.getConnections.bind(server.server));
  while (performance.now() < over && (await open()) > 0) await wait(20);
}
