import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

/** A database of a test's own. */
export interface TestDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

export const migrationsFolder = fileURLToPath(new URL("../migrations", import.meta.url));

/**
 * Makes a database on the server of DATABASE_URL, with every migration applied unless told otherwise.
 * Throws when DATABASE_URL is not set: a test that needs PostgreSQL is never skipped.
 */
export async function createTestDatabase({ migrated = true }: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const server = required("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres");
  const name = `test_${randomBytes(8).toString("hex")}`;
  await run(server, (client) => client.query(`CREATE DATABASE "${name}"`));
  const url = new URL(server);
  url.pathname = `/${name}`;
  if (migrated) await run(url.href, (client) => migrate(drizzle(client), { migrationsFolder }));
  return {
    url: url.href,
    drop: () => run(server, (client) => client.query(`DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)),
  };
}

/** The value of a variable that the tests cannot do without. */
export function required(name: string, example: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests run against a real server (for example ${example})`);
  return value;
}

async function run(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
