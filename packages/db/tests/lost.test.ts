import { type Gate, openGate } from "@nextai/service-kit/testing";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Connection, connect, type Database, isUnavailable, silence } from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";

type Transaction = Parameters<Parameters<Database["transaction"]>[0]>[0];

const maxConnections = 2;
let database: TestDatabase;
let other: Connection;
let gate: Gate;
let connection: Connection;
let lost: Error[];
const unexpected: unknown[] = [];
const note = (error: unknown): void => void unexpected.push(error);

beforeAll(async () => {
  process.on("uncaughtException", note);
  database = await createTestDatabase();
  other = connect(database.url, { application: "lost-test-other" });
});
beforeEach(async () => {
  lost = [];
  gate = await openGate(database.url);
  connection = connect(gate.url, { application: "lost-test", maxConnections, onLost: (error) => lost.push(error) });
});
afterEach(async () => {
  gate.cut();
  await connection.close();
  await gate.close();
});
afterAll(async () => {
  process.off("uncaughtException", note);
  await other?.close();
  await database?.drop();
});

async function failure(work: Promise<unknown>): Promise<{ error: Error; after: number }> {
  const begun = performance.now();
  const error = await work.then(
    () => expect.unreachable("it succeeded"),
    (error: Error) => error,
  );
  return { error, after: performance.now() - begun };
}

/** Ends the session of a transaction, as an administrator or a failover does. */
async function terminate(tx: Transaction): Promise<void> {
  const { rows } = await tx.execute<{ pid: number }>(sql`SELECT pg_backend_pid() AS pid`);
  await other.db.execute(sql`SELECT pg_terminate_backend(${rows[0]?.pid}, 5000)`);
}

/** The pool gives out all of its connections, none of which is broken. */
async function whole(): Promise<void> {
  const all = Array.from({ length: 2 * maxConnections }, () =>
    connection.db.transaction((tx) => tx.execute(sql`SELECT 1`)),
  );
  await expect(Promise.all(all)).resolves.toHaveLength(2 * maxConnections);
  expect(unexpected).toEqual([]);
}

const more = (tx: Transaction) => tx.execute(sql`SELECT 1`);
const nothing = async (): Promise<void> => {};

describe("a connection that is lost in a transaction", () => {
  test.each([
    ["before its next statement", more],
    ["before its COMMIT", nothing],
  ])("%s fails that transaction alone", async (_, then) => {
    for (let n = 0; n <= maxConnections; n++) {
      const { error } = await failure(
        connection.db.transaction(async (tx) => {
          await terminate(tx);
          await expect.poll(() => lost.length).toBeGreaterThan(n); // it is known before the next statement
          await then(tx);
        }),
      );
      expect(isUnavailable(error)).toBe(true);
    }
    await whole();
  });

  test("while a statement runs fails by the server's own reason", async () => {
    const { error } = await failure(
      connection.db.transaction(async (tx) => {
        await tx.execute(sql`SELECT pg_terminate_backend(pg_backend_pid())`);
      }),
    );
    expect([isUnavailable(error), error]).toMatchObject([true, { code: "57P01" }]);
    await whole();
  });

  test("since it was idle for too long fails by that reason", async () => {
    const { error } = await failure(
      connection.db.transaction(async (tx) => {
        await tx.execute(sql`SET LOCAL idle_in_transaction_session_timeout = 50`);
        await expect.poll(() => lost.length).toBeGreaterThan(0);
        await more(tx);
      }),
    );
    expect([isUnavailable(error), error]).toMatchObject([true, { code: "25P03" }]);
    await whole();
  });
});

describe("a server that is frozen", () => {
  test.each([
    ["before BEGIN", () => connection.db.transaction(more)],
    ["before a single statement", () => connection.db.execute(sql`SELECT 1`)],
  ])("%s costs everybody two seconds at most, and the pool no connection", async (_, ask) => {
    await whole();
    gate.freeze();
    const asked = Array.from({ length: 3 * maxConnections }, () => failure(ask()));
    for (const { error, after } of await Promise.all(asked)) {
      expect(isUnavailable(error)).toBe(true);
      expect(after).toBeLessThan(silence + 400);
    }
    gate.thaw();
    await whole();
  });

  test.each([
    ["a statement", more],
    ["COMMIT", nothing],
  ])("at %s costs two seconds, ROLLBACK included", async (_, then) => {
    let frozen = 0;
    const { error } = await failure(
      connection.db.transaction(async (tx) => {
        await more(tx);
        frozen = performance.now();
        gate.freeze();
        await then(tx);
      }),
    );
    expect(isUnavailable(error)).toBe(true);
    expect(error.message + error.cause).toContain("Query read timeout");
    expect(performance.now() - frozen).toBeLessThan(silence + 400);
    gate.thaw();
    await whole();
  });

  test("does nothing of a transaction that was given up, when it goes on", async () => {
    await other.db.execute(sql`CREATE TABLE IF NOT EXISTS given_up (id int)`);
    await failure(
      connection.db.transaction(async (tx) => {
        await tx.execute(sql`INSERT INTO given_up VALUES (1)`);
        gate.freeze(); // COMMIT arrives when the server goes on
      }),
    );
    const waiting = sql`SELECT FROM pg_stat_activity WHERE application_name = 'lost-test' AND state = 'idle in transaction'`;
    await expect.poll(async () => (await other.db.execute(waiting)).rowCount, { timeout: 10_000 }).toBe(0);
    gate.thaw();
    await whole();
    expect((await other.db.execute(sql`SELECT FROM given_up`)).rowCount).toBe(0);
  });
});
