import { refreshTokens, silence } from "@nextai/db";
import { required } from "@nextai/db/testing";
import type { Server } from "@nextai/service-kit";
import { commandLimit } from "@nextai/service-kit/redis";
import { type Gate, openGate } from "@nextai/service-kit/testing";
import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Session } from "../src/accounts.ts";
import { leeway } from "../src/store.ts";
import { hashRefreshToken } from "../src/tokens.ts";
import { type Harness, newAccount, type Problem, post, signUp, someone, startHarness } from "./harness.ts";

// A store that takes connections and says nothing, as one under SIGSTOP or behind a dead switch does.
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness?.close());

async function timed<T>(work: Promise<T>): Promise<{ answer: T; after: number }> {
  const begun = performance.now();
  return { answer: await work, after: performance.now() - begun };
}

const refresh = (server: Server, refreshToken: string) =>
  timed(post<Session & Problem>(server, "/auth/refresh", { refreshToken }));

const checks = async (server: Server) =>
  ((await server.inject({ url: "/health/ready" })).json() as { checks: Record<string, string> }).checks;

async function tokenRow(token: string) {
  const [row] = await harness.db
    .select()
    .from(refreshTokens)
    .where(eq(refreshTokens.tokenHash, hashRefreshToken(token)));
  return row;
}

describe("while Redis is frozen", () => {
  let gate: Gate;
  let server: Server;
  beforeAll(async () => {
    gate = await openGate(required("REDIS_URL", "redis://127.0.0.1:6379"));
    ({ server } = harness.replica({ REDIS_URL: gate.url }));
    const connected = async () => expect(await checks(server)).toMatchObject({ redis: "ok" });
    await vi.waitFor(connected, { timeout: 20_000 });
  });
  afterAll(() => gate?.close());

  test("people refresh and sign in, only the first waits for it, and it is asked again when it goes on", async () => {
    const person = someone();
    const { refreshToken } = await signUp(server, person);
    gate.freeze();
    const first = await refresh(server, refreshToken);
    expect(first.answer.status).toBe(200);
    expect(first.after).toBeLessThan(silence);
    const next = await refresh(server, first.answer.body.refreshToken);
    expect(next.answer.status).toBe(200);
    expect(next.after).toBeLessThan(commandLimit);
    expect((await post(server, "/auth/sign-in", person)).status).toBe(200);
    expect(await checks(server)).toEqual({ postgres: "ok", redis: expect.stringMatching(/no answer within/) });
    gate.thaw();
    await expect.poll(() => checks(server)).toMatchObject({ redis: "ok" });
  });

  test("a new process starts, and serves", async () => {
    gate.freeze();
    const fresh = harness.replica({ REDIS_URL: gate.url }).server;
    const { refreshToken } = await newAccount(harness.db);
    const { answer, after } = await refresh(fresh, refreshToken);
    expect(answer.status).toBe(200);
    expect(after).toBeLessThan(silence);
    gate.thaw();
  });
});

describe("while PostgreSQL is frozen", () => {
  test("a refresh is a 503 within two seconds, spends nothing, and is good for a new try at any later time", async () => {
    const gate = await openGate(harness.databaseUrl);
    const { server } = harness.replica({ DATABASE_URL: gate.url });
    const { refreshToken } = await newAccount(harness.db);
    expect(await checks(server)).toMatchObject({ postgres: "ok" });
    gate.freeze();
    const { answer, after } = await refresh(server, refreshToken);
    expect([answer.status, answer.body.error.code]).toEqual([503, "unavailable"]);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(after).toBeLessThan(silence + 500);
    gate.thaw();
    await expect.poll(() => checks(server)).toMatchObject({ postgres: "ok" });
    expect(await tokenRow(refreshToken)).toMatchObject({ usedAt: null, revokedAt: null });
    expect((await refresh(server, refreshToken)).answer.status).toBe(200);
    gate.cut();
    await gate.close();
  });

  test("many requests at once leave a process that serves when it goes on", async () => {
    const gate = await openGate(harness.databaseUrl);
    const { server } = harness.replica({ DATABASE_URL: gate.url });
    const { refreshToken } = await newAccount(harness.db);
    gate.freeze();
    const all = await Promise.all(Array.from({ length: 25 }, () => refresh(server, refreshToken)));
    expect(all.map(({ answer }) => answer.status)).toEqual(Array(25).fill(503));
    gate.thaw();
    await expect.poll(async () => (await refresh(server, refreshToken)).answer.status, { timeout: 10_000 }).toBe(200);
    gate.cut();
    await gate.close();
  });
});

test("a refresh whose caller has gone while it waited spends nothing: the token is good however late it comes", async () => {
  const { server } = harness.replica();
  const url = await server.listen({ host: "127.0.0.1", port: 0 });
  const { user, refreshToken } = await newAccount(harness.db);
  const leaving = new AbortController();
  const waiting = sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  const blocked = async () => (await harness.db.execute(waiting)).rowCount;
  const closed = new Promise((resolve) => server.server.once("connection", (socket) => socket.once("close", resolve)));
  await harness.db.transaction(async (tx) => {
    await tx.execute(sql`SET LOCAL idle_in_transaction_session_timeout = 0`);
    await tx.execute(sql`SELECT FROM users WHERE id = ${user.id} FOR UPDATE`);
    const asking = fetch(`${url}/auth/refresh`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refreshToken }),
      signal: leaving.signal,
    });
    await expect.poll(blocked).toBe(1);
    leaving.abort();
    await Promise.allSettled([asking, closed]);
  });
  await expect.poll(blocked).toBe(0);
  const open = sql`SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`;
  await expect.poll(async () => (await harness.db.execute(open)).rowCount).toBe(0);
  expect(await tokenRow(refreshToken)).toMatchObject({ usedAt: null, revokedAt: null });
  await harness.db.execute(sql`UPDATE refresh_tokens SET used_at = used_at - make_interval(secs => ${leeway + 1})`);
  expect((await refresh(server, refreshToken)).answer.status).toBe(200);
});
