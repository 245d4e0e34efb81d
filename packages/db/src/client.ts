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
  /** Called when a connection that nobody was using is lost; the pool opens another when one is needed. */
  readonly onLost?: (error: Error) => void;
}

/** A pool of connections to PostgreSQL. Opens none yet, so a service starts while its database is still away. */
export function connect(
  url: string,
  { application, maxConnections = 10, onLost = () => {} }: ConnectOptions,
): Connection {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: application,
    max: maxConnections,
    connectionTimeoutMillis: 3_000,
    idleTimeoutMillis: 30_000,
    statement_timeout: 10_000,
    query_timeout: 12_000, // a server that has gone silent enforces no statement_timeout
    idle_in_transaction_session_timeout: 10_000,
    keepAlive: true,
  });
  // Without a listener a lost idle connection would end the process.
  pool.on("error", onLost);
  return { db: drizzle(pool, { schema }), close: () => pool.end() };
}
