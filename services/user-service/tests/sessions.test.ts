import { refreshTokens } from "@nextai/db";
import { eq, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Session } from "../src/accounts.ts";
import { createStore } from "../src/store.ts";
import { hashRefreshToken } from "../src/tokens.ts";
import { type Answer, type Harness, newAccount, type Problem, post, signUp, someone, startHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness?.close());

function refresh(refreshToken: string, server = harness.server): Promise<Answer<Session & Problem>> {
  return post<Session & Problem>(server, "/auth/refresh", { refreshToken });
}

async function rowOf(token: string) {
  const [row] = await harness.db
    .select()
    .from(refreshTokens)
    .where(eq(refreshTokens.tokenHash, hashRefreshToken(token)));
  return row;
}

describe("refreshing", () => {
  test("gives a session with new tokens, again and again", async () => {
    const first = await newAccount(harness.db);
    const second = await refresh(first.refreshToken);
    expect(second.status).toBe(200);
    expect(second.body.user).toEqual(first.user);
    expect(second.body.refreshToken).not.toBe(first.refreshToken);
    const third = await refresh(second.body.refreshToken);
    expect(third.status).toBe(200);
  });

  test("stores no token, only its hash, for thirty days", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const row = await rowOf(refreshToken);
    expect(JSON.stringify(row)).not.toContain(refreshToken);
    const days = ((row?.expiresAt.getTime() ?? 0) - (row?.createdAt.getTime() ?? 0)) / 86_400_000;
    expect(days).toBeCloseTo(30, 1);
  });

  test("by a token that was used before ends the whole family", async () => {
    const first = await newAccount(harness.db);
    const second = await refresh(first.refreshToken);
    const third = await refresh(second.body.refreshToken);
    const again = await refresh(first.refreshToken);
    expect([again.status, again.body.error.code]).toEqual([401, "refresh_reused"]);
    expect((await refresh(third.body.refreshToken)).status).toBe(401);
  });

  test("by a used token ends no other family of the person", async () => {
    const person = someone();
    const phone = await signUp(harness.server, person);
    const laptop = (await post<Session>(harness.server, "/auth/sign-in", person)).body;
    await refresh(phone.refreshToken);
    expect((await refresh(phone.refreshToken)).body.error.code).toBe("refresh_reused");
    expect((await refresh(laptop.refreshToken)).status).toBe(200);
  });

  test("by an expired token is refused, and leaves the family alone", async () => {
    const { refreshToken } = await newAccount(harness.db);
    await harness.db
      .update(refreshTokens)
      .set({ expiresAt: sql`now() - interval '1 second'` })
      .where(eq(refreshTokens.tokenHash, hashRefreshToken(refreshToken)));
    const { status, body } = await refresh(refreshToken);
    expect([status, body.error.code]).toEqual([401, "invalid_refresh_token"]);
    expect((await rowOf(refreshToken))?.revokedAt).toBeNull();
  });

  test.each([
    [{ refreshToken: "never issued" }, 401],
    [{ refreshToken: "" }, 422],
    [{}, 422],
  ])("by %j is refused", async (payload, status) => {
    expect((await post(harness.server, "/auth/refresh", payload)).status).toBe(status);
  });
});

describe("of 20 refreshes by one token at once", () => {
  test("exactly one wins, and its session lives on", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(refreshToken)));
    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(new Set(answers.filter(({ status }) => status !== 200).map(({ body }) => body.error.code))).toEqual(
      new Set(["refresh_overtaken"]),
    );
    expect((await refresh(won[0]?.body.refreshToken ?? "")).status).toBe(200);
  });

  test("exactly one wins in the database, whichever replicas they reach", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const store = createStore(harness.db);
    const rotations = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.rotate(hashRefreshToken(refreshToken), hashRefreshToken(`next ${n}`))),
    );
    expect(rotations.filter(({ outcome }) => outcome === "rotated")).toHaveLength(1);
    const family = (await rowOf(refreshToken))?.family ?? "";
    expect(await harness.db.$count(refreshTokens, eq(refreshTokens.family, family))).toBe(2);
  });

  test("one that waited for the winner knows that it was overtaken, and accuses nobody", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const hash = hashRefreshToken(refreshToken);
    const store = createStore(harness.db);
    let waiting: ReturnType<typeof store.rotate> | undefined;
    await harness.db.transaction(async (winner) => {
      await winner.update(refreshTokens).set({ usedAt: sql`now()` }).where(eq(refreshTokens.tokenHash, hash));
      waiting = store.rotate(hash, hashRefreshToken("late"));
      await expect.poll(blocked).toBe(1);
    });
    expect(await waiting).toEqual({ outcome: "overtaken" });
  });
});

/** How many statements in this database wait for a lock. */
async function blocked(): Promise<number> {
  const { rows } = await harness.db.execute<{ count: number }>(
    sql`SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows[0]?.count ?? 0;
}

describe("signing out", () => {
  test("ends the session", async () => {
    const first = await newAccount(harness.db);
    const { body: second } = await refresh(first.refreshToken);
    const answer = await post(harness.server, "/auth/sign-out", { refreshToken: second.refreshToken });
    expect([answer.status, answer.body]).toEqual([204, {}]);
    const { status, body } = await refresh(second.refreshToken);
    expect([status, body.error.code]).toEqual([401, "invalid_refresh_token"]);
  });

  test("is done already by a token that is unknown or signed out", async () => {
    const { refreshToken } = await newAccount(harness.db);
    for (const token of [refreshToken, refreshToken, "never issued"]) {
      expect((await post(harness.server, "/auth/sign-out", { refreshToken: token })).status).toBe(204);
    }
  });

  test("during a refresh ends the token that comes of it, too", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const family = (await rowOf(refreshToken))?.family ?? "";
    const store = createStore(harness.db);
    let signingOut: Promise<void> | undefined;
    await harness.db.transaction(async (refreshing) => {
      await createStore(refreshing as unknown as typeof harness.db).rotate(
        hashRefreshToken(refreshToken),
        hashRefreshToken(`after ${family}`),
      );
      signingOut = store.revokeFamily(family);
      await expect.poll(blocked).toBe(1);
    });
    await signingOut;
    expect((await store.rotate(hashRefreshToken(`after ${family}`), hashRefreshToken("more"))).outcome).toBe("invalid");
  });
});
