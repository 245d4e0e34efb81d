import { randomUUID } from "node:crypto";
import { required } from "@nextai/db/testing";
import { createLog, Secret } from "@nextai/service-kit";
import { connectRedis, type Redis } from "@nextai/service-kit/redis";
import { freePort } from "@nextai/service-kit/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import {
  type Attempts,
  createAttempts,
  mostOfAccount,
  mostOfClient,
  mostOfPair,
  mostRefreshes,
  period,
} from "../src/attempts.ts";
import { address, type Harness, post, signUp, someone, startHarness } from "./harness.ts";

const log = createLog({ service: "test", level: "error", format: "text" });

describe("attempts", () => {
  let redis: Redis[];
  let replicas: Attempts[];
  const client = () => randomUUID();
  const email = () => `Ann-${randomUUID()}@example.org`;

  beforeAll(async () => {
    const url = new Secret(required("REDIS_URL", "redis://127.0.0.1:6379"));
    redis = [connectRedis(url, log), connectRedis(url, log)];
    await vi.waitFor(() => Promise.all(redis.map((one) => one.ping())), { timeout: 10_000 });
    replicas = redis.map((one) => createAttempts(one, log));
  });
  afterAll(() => Promise.all(redis?.map((one) => one.close()) ?? []));

  /** Begins so many at once, at the replicas in turn, and returns what each was told. */
  function begin(times: number, attempt: (n: number) => Parameters<Attempts["begin"]>[0]) {
    return Promise.all(Array.from({ length: times }, (_, n) => replicas[n % 2]?.begin(attempt(n))));
  }
  const passed = (told: unknown[]) => told.filter((wait) => wait === null).length;

  test("of a client at an account are counted together by all replicas, at once, and in any spelling", async () => {
    const [from, at] = [client(), email()];
    const told = await begin(4 * mostOfPair, (n) => ({ client: from, email: n % 3 === 0 ? at.toUpperCase() : at }));
    expect(passed(told)).toBe(mostOfPair);
    const waits = told.filter((wait) => typeof wait === "number");
    expect(Math.max(...waits)).toBeLessThanOrEqual(period);
    expect(Math.min(...waits)).toBeGreaterThan(period - 60);
    expect(passed(await begin(1, () => ({ client: from, email: email() })))).toBe(1);
  });

  test("of one client, however many, lock nobody else out of the account", async () => {
    const [from, at] = [client(), email()];
    await begin(2 * mostOfAccount, () => ({ client: from, email: at }));
    expect(passed(await begin(1, () => ({ client: client(), email: at })))).toBe(1);
  });

  test("at an account are limited over all clients", async () => {
    const at = email();
    expect(passed(await begin(mostOfAccount + 20, () => ({ client: client(), email: at })))).toBe(mostOfAccount);
  });

  test("of a client are limited over all accounts, and sign-ups count", async () => {
    const from = client();
    const told = await begin(mostOfClient + 20, (n) => (n % 2 ? { client: from } : { client: from, email: email() }));
    expect(passed(told)).toBe(mostOfClient);
    expect(passed(await begin(1, () => ({ client: client() })))).toBe(1);
  });

  test("of a client at an account are forgotten with a success", async () => {
    const attempt = { client: client(), email: email() };
    expect(passed(await begin(mostOfPair + 1, () => attempt))).toBe(mostOfPair);
    await replicas[0]?.succeeded(attempt);
    expect(passed(await begin(mostOfPair + 1, () => attempt))).toBe(mostOfPair);
  });

  test("that succeed use up nothing of the client's", async () => {
    const from = client();
    for (let n = 0; n < mostOfClient + 5; n++) {
      const attempt = { client: from, email: email() };
      expect(passed(await begin(1, () => attempt))).toBe(1);
      await replicas[n % 2]?.succeeded(attempt);
    }
  });

  test("that succeed stay counted at the account", async () => {
    const attempt = { client: client(), email: email() };
    for (let n = 0; n < mostOfAccount; n++) {
      expect(passed(await begin(1, () => attempt))).toBe(1);
      await replicas[n % 2]?.succeeded(attempt);
    }
    expect(passed(await begin(3, () => ({ ...attempt, client: client() })))).toBe(0);
  });

  test("to refresh are counted by person, by all replicas together", async () => {
    const person = randomUUID();
    const asked = Array.from({ length: mostRefreshes + 20 }, (_, n) => replicas[n % 2]?.refresh(person));
    const told = await Promise.all(asked);
    expect(passed(told)).toBe(mostRefreshes);
    expect(Math.max(...told.map(Number))).toBeGreaterThan(period - 60);
    expect(await replicas[0]?.refresh(randomUUID())).toBeNull();
  });

  test("that were taken back do not count", async () => {
    const attempt = { client: client(), email: email() };
    await begin(mostOfPair, () => attempt);
    await replicas[0]?.takeBack(attempt);
    expect(passed(await begin(3, () => attempt))).toBe(1);
  });
});

describe("signing in", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.close());

  test("is refused after too many failures, even with the right password, and to nobody else", async () => {
    const person = someone();
    await signUp(harness.server, person);
    const stranger = address();
    for (let n = 0; n < mostOfPair; n++) {
      const wrong = { ...person, password: "wrong password" };
      expect((await post(harness.server, "/auth/sign-in", wrong, stranger)).status).toBe(401);
    }
    const neighbour = stranger.replace(/1$/, "abcd:2"); // of the same /64, so the same client
    for (const from of [stranger, neighbour]) {
      const refused = await post(harness.server, "/auth/sign-in", person, from);
      expect([refused.status, refused.body.error.code]).toEqual([429, "too_many_attempts"]);
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    }
    expect((await post(harness.server, "/auth/sign-in", person)).status).toBe(200);
  });

  test("and signing up are refused to a client that has had its share, before a password is hashed", async () => {
    const redis = connectRedis(new Secret(required("REDIS_URL", "redis://127.0.0.1:6379")), log);
    await vi.waitFor(() => redis.ping(), { timeout: 10_000 });
    const from = `198.51.100.${Math.ceil(Math.random() * 254)}`;
    const attempts = createAttempts(redis, log);
    for (let n = 0; n < mostOfClient; n++) await attempts.begin({ client: from });
    await redis.close();
    for (const path of ["/auth/sign-up", "/auth/sign-in"]) {
      const { status, body } = await post(harness.server, path, someone(), from);
      expect([path, status, body.error?.code]).toEqual([path, 429, "too_many_attempts"]);
    }
  });

  test("goes on while Redis is away, and the log says that nothing is counted", async () => {
    const { server, lines } = harness.replica({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    const person = someone();
    await signUp(server, person);
    expect((await post(server, "/auth/sign-in", { ...person, password: "wrong password" })).status).toBe(401);
    expect((await post(server, "/auth/sign-in", person)).status).toBe(200);
    expect(lines.join("")).toContain("attempts are not limited");
  });
});
