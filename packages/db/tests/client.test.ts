import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Connection, connect, isUnavailable, uniqueViolation, users } from "../src/index.ts";
import { createTestDatabase, type TestDatabase } from "../src/testing.ts";

const application = "client-test";
let database: TestDatabase;
let connection: Connection;
const lost: Error[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  connection = connect(database.url, { application, onLost: (error) => lost.push(error) });
});

afterAll(async () => {
  await connection?.close();
  await database?.drop();
});

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.unreachable("the statement succeeded"),
    (error: unknown) => error,
  );
}

describe("a failed statement", () => {
  test("is a store away when the server cannot be reached", async () => {
    const nowhere = connect("postgresql://nobody@127.0.0.1:1/nothing", { application });
    expect(isUnavailable(await failure(nowhere.db.execute(sql`SELECT 1`)))).toBe(true);
    await nowhere.close();
  });

  test("is a store away when the server ends the connection", async () => {
    expect(
      isUnavailable(await failure(connection.db.execute(sql`SELECT pg_terminate_backend(pg_backend_pid())`))),
    ).toBe(true);
  });

  test("is a defect when the statement is wrong", async () => {
    expect(isUnavailable(await failure(connection.db.execute(sql`SELECT nonsense`)))).toBe(false);
  });

  test("names the unique index that it ran into", async () => {
    const ann = { email: "ann@example.org", name: "Ann", passwordHash: "x" };
    await connection.db.insert(users).values(ann);
    const error = await failure(connection.db.insert(users).values(ann));
    expect(uniqueViolation(error)).toBe("users_email_key");
    expect(isUnavailable(error)).toBe(false);
    expect(uniqueViolation(new Error("other"))).toBeNull();
  });
});

test("a lost idle connection is reported, and the next statement has a new one", async () => {
  await connection.db.execute(sql`SELECT 1`);
  const other = connect(database.url, { application: "client-test-killer" });
  await other.db.execute(
    sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ${application}`,
  );
  await other.close();
  await expect.poll(() => lost.length).toBeGreaterThan(0);
  await expect(connection.db.execute(sql`SELECT 1`)).resolves.toBeDefined();
});

test("a test without DATABASE_URL fails with a sentence", async () => {
  const url = process.env.DATABASE_URL;
  delete process.env.DATABASE_URL;
  try {
    await expect(createTestDatabase()).rejects.toThrow("DATABASE_URL is not set");
  } finally {
    process.env.DATABASE_URL = url;
  }
});
