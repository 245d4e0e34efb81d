import { connect, isUnavailable } from "@nextai/db";
import { createServer, type Logger, type Parts } from "@nextai/service-kit";
import { connectRedis } from "@nextai/service-kit/redis";
import contract from "../contract.json" with { type: "json" };
import { createAccounts } from "./accounts.ts";
import { createAttempts } from "./attempts.ts";
import type { Config } from "./config.ts";
import { checks, shown } from "./health.ts";
import { addRoutes } from "./routes.ts";
import { createStore } from "./store.ts";
import { createSigner } from "./tokens.ts";

/** Puts the service together; nothing listens and nothing is connected yet. `limit`: of a request, in milliseconds. */
export function assemble(config: Config, log: Logger, limit?: number): Parts {
  const { db, close } = connect(config.databaseUrl.reveal(), {
    application: contract.service,
    onLost: (err) => log.warn({ err }, "lost a connection to PostgreSQL"),
  });
  const redis = connectRedis(config.redisUrl, log);
  const store = createStore(db);
  const accounts = createAccounts(
    store,
    createSigner(config.jwtSecret, config.accessTokenLifetime),
    createAttempts(redis, log),
  );

  const server = createServer({
    service: contract.service,
    log,
    checks: checks(store),
    shown: shown(redis),
    isUnavailable,
    ...(limit === undefined ? {} : { limit }),
  });
  addRoutes(server, accounts);
  return {
    server,
    async close() {
      await Promise.all([close(), redis.close()]);
    },
  };
}
