import { limits } from "@nextai/contract";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import pg from "pg";
import * as schema from "./schema.ts";

// pg rather than postgres.js: both are plain JavaScript, but pg is released every few weeks, bounds the wait for a
// connection (`connectionTimeoutMillis`), and its pool reports a lost idle connection as an event instead of an exception.

export type Database = NodePgDatabase<typeof schema>;

export interface Connection {
  readonly db: Database;
  /** Waits for the statements under way, then closes every connection. */
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Shown by `pg_stat_activity`. */
  readonly application: string;
  readonly maxConnections?: number;
  /** Called when a connection is lost, whether or not somebody was using it; the pool opens another when one is needed. */
  readonly onLost?: (error: Error) => void;
}

/** Milliseconds that a silent server costs at most: a wait for a connection, or for the answer to a statement. */
export const silence = limits.silenceMs;

/** A pool of connections to PostgreSQL. Opens none yet, so a service starts while its database is still away. */
export function connect(
  url: string,
  { application, maxConnections = 10, onLost = () => {} }: ConnectOptions,
): Connection {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: application,
    max: maxConnections,
    Client: GuardedClient,
    connectionTimeoutMillis: silence,
    idleTimeoutMillis: 30_000,
    statement_timeout: silence - 100, // so that a server that is only slow says so itself
    query_timeout: silence, // a server that is silent enforces no statement_timeout
    // Not longer than query_timeout: a server that was frozen ends a transaction that was given up meanwhile, and does not
    // go on with the COMMIT that still lies in its socket. Nobody would know what came of it.
    idle_in_transaction_session_timeout: silence,
    keepAlive: true,
  });
  // Every client, from its first moment on: a lost connection without a listener would end the process.
  pool.on("connect", (client) => client.on("error", onLost));
  pool.on("error", () => {}); // the pool repeats what an idle client said
  const db = drizzle(pool, { schema });
  db.transaction = guardedTransaction(pool);
  return { db, close: () => pool.end() };
}

/** A connection that is cut as soon as an answer is overdue: what it would say next belongs to nobody. */
class GuardedClient extends pg.Client {
  /** What went wrong first. All that follows, such as a ROLLBACK that cannot be sent, only repeats it. */
  failure: Error | undefined;

  constructor(config?: pg.ClientConfig) {
    super(config);
    this.on("error", (error) => {
      this.failure ??= error;
    });
    const query = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((...args: unknown[]) => {
      const answer = query(...args);
      if (answer instanceof Promise) answer.catch((error: Error) => this.#judge(error));
      return answer;
    }) as typeof this.query;
  }

  #judge(error: Error): void {
    const silent = error.message === "Query read timeout"; // pg gives it no code
    const fatal = "severity" in error && error.severity === "FATAL"; // the server's last words on this connection
    if (silent || fatal) this.failure ??= error;
    if (silent) void this.end(); // with a statement under way this destroys the socket, and waits for nobody
  }
}

/**
 * Transactions that give their connection back whatever happens.
 *
 * Drizzle's own runs BEGIN outside try and finally: when that fails, the connection never returns to the pool, and after
 * `maxConnections` of them nobody gets one. It also returns a broken connection as if it were a good one.
 */
function guardedTransaction(pool: pg.Pool): Database["transaction"] {
  return async (work, config) => {
    const client = (await pool.connect()) as pg.PoolClient & GuardedClient;
    try {
      return await drizzle(client as pg.PoolClient, { schema }).transaction(work, config);
    } catch (error) {
      throw client.failure ?? error;
    } finally {
      client.release(client.failure);
    }
  };
}
