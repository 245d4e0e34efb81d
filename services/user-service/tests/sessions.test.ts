import { refreshTokens } from "@nextai/db";
import { and, eq, inArray, isNull, sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Session } from "../src/accounts.ts";
import { mostRefreshes } from "../src/attempts.ts";
import { createStore, leeway, mostSiblings } from "../src/store.ts";
import { hashRefreshToken } from "../src/tokens.ts";
import { type Answer, type Harness, newAccount, type Problem, post, signUp, someone, startHarness } from "./harness.ts";

let harness: Harness;
let replica: Harness["server"];
beforeAll(async () => {
  harness = await startHarness();
  replica = harness.replica().server;
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

/** What a refresh came to: "refreshed", or the code of the refusal. */
async function outcome(refreshToken: string): Promise<string> {
  const { status, body } = await refresh(refreshToken);
  return status === 200 ? "refreshed" : body.error.code;
}

/** Makes every use of the token's family so many seconds older, as time would. */
async function pass(token: string, seconds: number): Promise<void> {
  await harness.db
    .update(refreshTokens)
    .set({ usedAt: sql`${refreshTokens.usedAt} - make_interval(secs => ${seconds})` })
    .where(eq(refreshTokens.family, (await rowOf(token))?.family ?? ""));
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

  test("by a token that was used before ends no other family of the person", async () => {
    const person = someone();
    const phone = await signUp(harness.server, person);
    const laptop = (await post<Session>(harness.server, "/auth/sign-in", person)).body;
    await refresh(phone.refreshToken);
    await pass(phone.refreshToken, leeway + 1);
    expect(await outcome(phone.refreshToken)).toBe("refresh_reused");
    expect(await outcome(laptop.refreshToken)).toBe("refreshed");
  });

  test("forgets the person's tokens that have expired, and no spent one before", async () => {
    const { user, refreshToken } = await newAccount(harness.db);
    const { body: second } = await refresh(refreshToken);
    const { body: third } = await refresh(second.refreshToken);
    await createStore(harness.db).openSession(user.id, hashRefreshToken(`another session of ${user.id}`));
    const expired = [hashRefreshToken(refreshToken), hashRefreshToken(`another session of ${user.id}`)];
    await harness.db
      .update(refreshTokens)
      .set({ expiresAt: sql`now() - interval '1 second'` })
      .where(inArray(refreshTokens.tokenHash, expired));
    expect(await outcome(third.refreshToken)).toBe("refreshed");
    expect(await harness.db.$count(refreshTokens, inArray(refreshTokens.tokenHash, expired))).toBe(0);
    await pass(second.refreshToken, leeway + 1);
    expect(await outcome(second.refreshToken)).toBe("refresh_reused");
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

describe("a token that was used before", () => {
  test("is good for a sibling within the leeway", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const { body: one } = await refresh(refreshToken);
    await pass(refreshToken, leeway - 5);
    const { status, body: other } = await refresh(refreshToken);
    expect(status).toBe(200);
    expect(other.refreshToken).not.toBe(one.refreshToken);
    expect((await rowOf(other.refreshToken))?.family).toBe((await rowOf(one.refreshToken))?.family);
    expect(await outcome(one.refreshToken)).toBe("refreshed");
    expect(await outcome(other.refreshToken)).toBe("refreshed");
  });

  test("ends the whole family after the leeway", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const { body: one } = await refresh(refreshToken);
    const { body: other } = await refresh(refreshToken);
    await pass(refreshToken, leeway + 1);
    expect(await outcome(refreshToken)).toBe("refresh_reused");
    expect(await outcome(one.refreshToken)).toBe("invalid_refresh_token");
    expect(await outcome(other.refreshToken)).toBe("invalid_refresh_token");
  });

  test("ends the whole family, even within the leeway, when a successor has been used", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const { body: second } = await refresh(refreshToken);
    const { body: third } = await refresh(second.refreshToken);
    expect(await outcome(refreshToken)).toBe("refresh_reused");
    expect(await outcome(second.refreshToken)).toBe("invalid_refresh_token");
    expect(await outcome(third.refreshToken)).toBe("invalid_refresh_token");
  });

  test("is told by its siblings, of which one was used: no thief lives on beside the person", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const { body: persons } = await refresh(refreshToken);
    const { body: thiefs } = await refresh(refreshToken);
    const { body: next } = await refresh(persons.refreshToken);
    await pass(refreshToken, leeway + 1);
    expect(await outcome(thiefs.refreshToken)).toBe("refresh_reused");
    expect(await outcome(next.refreshToken)).toBe("invalid_refresh_token");
  });

  test("has no more siblings made of it than the bound, and the session lives on", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const { body: first } = await refresh(refreshToken);
    for (let made = 1; made < mostSiblings; made++) expect(await outcome(refreshToken)).toBe("refreshed");
    expect((await refresh(refreshToken)).status).toBe(409);
    expect(await outcome(refreshToken)).toBe("refresh_overtaken");
    expect(await outcome(first.refreshToken)).toBe("refreshed");
  });
});

/** Uses up what a person may refresh, each time by the token that came of the last, and returns the last. */
async function refreshAllTheTime(refreshToken: string): Promise<string> {
  let newest = refreshToken;
  for (let n = 0; n < mostRefreshes; n++) newest = (await refresh(newest)).body.refreshToken;
  return newest;
}

describe("a person who refreshes all the time", () => {
  test("is told to wait, leaves no row more, and keeps the session", async () => {
    const { user, refreshToken } = await newAccount(harness.db);
    const newest = await refreshAllTheTime(refreshToken);
    for (const server of [harness.server, replica]) {
      const { status, body, headers } = await refresh(newest, server);
      expect([status, body.error.code]).toEqual([429, "too_many_attempts"]);
      expect(Number(headers["retry-after"])).toBeGreaterThan(0);
    }
    expect(await harness.db.$count(refreshTokens, eq(refreshTokens.userId, user.id))).toBe(1 + mostRefreshes);
    expect(await rowOf(newest)).toMatchObject({ usedAt: null, revokedAt: null });
    expect(await outcome((await newAccount(harness.db)).refreshToken)).toBe("refreshed");
  });

  test("has the family ended all the same by a copy of a spent token", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const newest = await refreshAllTheTime(refreshToken);
    await pass(refreshToken, leeway + 1);
    expect(await outcome(refreshToken)).toBe("refresh_reused");
    expect((await rowOf(newest))?.revokedAt).not.toBeNull();
    expect(await outcome(newest)).toBe("invalid_refresh_token");
  });

  test("by a token that is signed out uses up nothing", async () => {
    const { user, refreshToken } = await newAccount(harness.db);
    await post(harness.server, "/auth/sign-out", { refreshToken });
    for (let n = 0; n < mostRefreshes; n++) expect(await outcome(refreshToken)).toBe("invalid_refresh_token");
    const other = `another session of ${user.id}`;
    await createStore(harness.db).openSession(user.id, hashRefreshToken(other));
    expect(await outcome(other)).toBe("refreshed");
  });
});

describe("refreshes by one token at once", () => {
  test("all succeed when two replicas are asked, in each of 20 rounds, and either session lives on", async () => {
    let { refreshToken } = await newAccount(harness.db);
    for (let round = 1; round <= 20; round++) {
      const [one, other] = await Promise.all([refresh(refreshToken), refresh(refreshToken, replica)]);
      expect([round, one.status, other.status]).toEqual([round, 200, 200]);
      expect(one.body.refreshToken).not.toBe(other.body.refreshToken);
      refreshToken = (round % 2 === 0 ? one : other).body.refreshToken;
    }
  });

  test("succeed by siblings as by one token", async () => {
    let { refreshToken } = await newAccount(harness.db);
    for (let round = 1; round <= 20; round++) {
      const [one, other] = await Promise.all([refresh(refreshToken), refresh(refreshToken)]);
      const next = await Promise.all([refresh(one.body.refreshToken), refresh(other.body.refreshToken)]);
      expect([round, ...next.map(({ status }) => status)]).toEqual([round, 200, 200]);
      refreshToken = next[0].body.refreshToken;
    }
  });

  test("are as many as the bound, exactly, whichever replicas they reach", async () => {
    const servers = [harness.server, replica];
    const { refreshToken } = await newAccount(harness.db);
    const asked = Array.from({ length: mostSiblings + 8 }, (_, n) => refresh(refreshToken, servers[n % 2]));
    const answers = await Promise.all(asked);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(mostSiblings);
    const refused = answers.filter(({ status }) => status !== 200).map(({ body }) => body.error.code);
    expect(refused).toEqual(Array(8).fill("refresh_overtaken"));
    const family = (await rowOf(refreshToken))?.family ?? "";
    expect(await harness.db.$count(refreshTokens, eq(refreshTokens.family, family))).toBe(1 + mostSiblings);
  });

  test("both succeed when one waits for the other, who spends the token meanwhile", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const rotate = (db: typeof harness.db, next: string) =>
      createStore(db).rotate(hashRefreshToken(refreshToken), hashRefreshToken(next + refreshToken));
    let waiting: ReturnType<typeof rotate> | undefined;
    await harness.db.transaction(async (first) => {
      expect((await rotate(first as unknown as typeof harness.db, "one")).outcome).toBe("rotated");
      waiting = rotate(harness.db, "other");
      await expect.poll(blocked).toBe(1);
    });
    expect((await waiting)?.outcome).toBe("rotated");
  });

  test("and a sign-out leave no token that is good", async () => {
    for (let round = 1; round <= 20; round++) {
      const { refreshToken } = await newAccount(harness.db);
      const family = (await rowOf(refreshToken))?.family ?? "";
      await refresh(refreshToken);
      await Promise.all([
        refresh(refreshToken),
        post(replica, "/auth/sign-out", { refreshToken }),
        refresh(refreshToken, replica),
      ]);
      const good = and(eq(refreshTokens.family, family), isNull(refreshTokens.revokedAt));
      expect([round, await harness.db.$count(refreshTokens, good)]).toEqual([round, 0]);
    }
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

  test("ends every sibling, by whichever token of the family", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const { body: one } = await refresh(refreshToken);
    const { body: other } = await refresh(refreshToken);
    await post(harness.server, "/auth/sign-out", { refreshToken: one.refreshToken });
    for (const token of [one.refreshToken, other.refreshToken, refreshToken]) {
      expect(await outcome(token)).toBe("invalid_refresh_token");
    }
  });

  test("is done already by a token that is unknown or signed out", async () => {
    const { refreshToken } = await newAccount(harness.db);
    for (const token of [refreshToken, refreshToken, "never issued"]) {
      expect((await post(harness.server, "/auth/sign-out", { refreshToken: token })).status).toBe(204);
    }
  });

  test("during a refresh ends the token that comes of it, too", async () => {
    const { refreshToken } = await newAccount(harness.db);
    const [hash, next] = [hashRefreshToken(refreshToken), hashRefreshToken(`after ${refreshToken}`)];
    const store = createStore(harness.db);
    let signingOut: Promise<void> | undefined;
    await harness.db.transaction(async (refreshing) => {
      await createStore(refreshing as unknown as typeof harness.db).rotate(hash, next);
      signingOut = store.closeSession(hash);
      await expect.poll(blocked).toBe(1);
    });
    await signingOut;
    expect((await store.rotate(next, hashRefreshToken("more"))).outcome).toBe("invalid");
  });
});
