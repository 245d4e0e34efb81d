import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { generateDrizzleJson, generateMigration } from "drizzle-kit/api";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as schema from "../src/schema.ts";
import { createTestDatabase, migrationsFolder, type TestDatabase } from "../src/testing.ts";

interface Journal {
  readonly entries: readonly { readonly idx: number; readonly when: number; readonly tag: string }[];
}

async function journal(): Promise<Journal> {
  return JSON.parse(await readFile(join(migrationsFolder, "meta/_journal.json"), "utf8")) as Journal;
}

describe("the migrations' folder", () => {
  test("has a file and a snapshot for every entry of the journal, in order, and no other", async () => {
    const { entries } = await journal();
    expect(entries.length).toBeGreaterThan(1);
    expect(entries.map(({ idx }) => idx)).toEqual(entries.map((_, position) => position));
    expect(entries.map(({ when }) => when)).toEqual(entries.map(({ when }) => when).toSorted((a, b) => a - b));
    const files = (await readdir(migrationsFolder)).filter((name) => name.endsWith(".sql"));
    expect(files.toSorted()).toEqual(entries.map(({ tag }) => `${tag}.sql`));
    const snapshots = (await readdir(join(migrationsFolder, "meta"))).filter((name) => name.endsWith("_snapshot.json"));
    expect(snapshots.toSorted()).toEqual(entries.map(({ idx }) => `${String(idx).padStart(4, "0")}_snapshot.json`));
  });

  test("is up to date: the schema needs no further migration", async () => {
    const newest = (await journal()).entries.at(-1);
    const file = join(migrationsFolder, `meta/${String(newest?.idx).padStart(4, "0")}_snapshot.json`);
    const snapshot = JSON.parse(await readFile(file, "utf8")) as ReturnType<typeof generateDrizzleJson>;
    expect(await generateMigration(snapshot, generateDrizzleJson(schema, snapshot.id))).toEqual([]);
  });
});

describe("a migrated database", () => {
  let database: TestDatabase;
  let client: pg.Client;

  beforeAll(async () => {
    database = await createTestDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });

  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });

  test("has every column of the schema", async () => {
    const db = drizzle(client, { schema });
    await expect(db.select().from(schema.users)).resolves.toEqual([]);
    await expect(db.select().from(schema.refreshTokens)).resolves.toEqual([]);
  });

  test("has nothing to do when it is migrated again", async () => {
    await migrate(drizzle(client), { migrationsFolder });
    const { rows } = await client.query("SELECT count(*)::int AS applied FROM drizzle.__drizzle_migrations");
    expect(rows).toEqual([{ applied: (await journal()).entries.length }]);
  });

  test("has one account an address, whatever its case", async () => {
    const insert = (email: string) =>
      client.query("INSERT INTO users (email, name, password_hash) VALUES ($1, 'Ann', 'x')", [email]);
    await insert("Ann@Example.org");
    await expect(insert("ann@example.ORG")).rejects.toMatchObject({ code: "23505", constraint: "users_email_key" });
  });

  test("forgets a person's tokens with the person", async () => {
    const { rows } = await client.query(
      "INSERT INTO users (email, name, password_hash) VALUES ('b@example.org', 'Bob', 'x') RETURNING id",
    );
    await client.query(
      "INSERT INTO refresh_tokens (user_id, family, token_hash, expires_at) VALUES ($1, gen_random_uuid(), 'h', now())",
      [rows[0].id],
    );
    await client.query("DELETE FROM users WHERE id = $1", [rows[0].id]);
    expect((await client.query("SELECT FROM refresh_tokens WHERE token_hash = 'h'")).rowCount).toBe(0);
  });
});
