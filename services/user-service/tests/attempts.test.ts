import { randomUUID } from "node:crypto";
import { required } from "@nextai/db/testing";
import { createLog, Secret } from "@nextai/service-kit";
import { freePort } from "@nextai/service-kit/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { allowed, createAttempts, period } from "../src/attempts.ts";
import { connectRedis, type Redis } from "../src/redis.ts";
import { type Harness, post, signUp, someone, startHarness } from "./harness.ts";

const log = createLog({ service: "test", level: "error", format: "text" });

describe("the attempts of an account", () => {
  let replicas: Redis[];
  const address = () => `${randomUUID()}@example.org`;

  beforeAll(async () => {
    const url = new Secret(required("REDIS_URL", "redis://127.0.0.1:6379"));
    replicas = [connectRedis(url, log), connectRedis(url, log)];
    await vi.waitFor(() => Promise.all(replicas.map((redis) => redis.ping())), { timeout: 10_000 });
  });
  afterAll(() => Promise.all(replicas?.map((redis) => redis.close()) ?? []));

  test("are counted together by all replicas, at once, and in any spelling", async () => {
    const email = address();
    const limiters = replicas.map((redis) => createAttempts(redis, log));
    const spellings = [email, email.toUpperCase()];
    const begun = await Promise.all(
      Array.from({ length: 4 * allowed }, (_, n) => limiters[n % 2]?.begin(spellings[n % 3 === 0 ? 1 : 0] ?? "")),
    );
    expect(begun.filter((wait) => wait === null)).toHaveLength(allowed);
    const waits = begun.filter((wait) => typeof wait === "number");
    expect(Math.max(...waits)).toBeLessThanOrEqual(period);
    expect(Math.min(...waits)).toBeGreaterThan(period - 60);
    expect(await limiters[0]?.begin(address())).toBeNull();
  });

  test("are forgotten with a success", async () => {
    const email = address();
    const [redis] = replicas;
    const attempts = createAttempts(redis as Redis, log);
    for (let n = 0; n < allowed; n++) expect(await attempts.begin(email)).toBeNull();
    expect(await attempts.begin(email)).toBeGreaterThan(0);
    await attempts.succeeded(email);
    expect(await attempts.begin(email)).toBeNull();
  });
});

describe("signing in", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness?.close());

  test(`is refused after ${allowed} failures, even with the right password`, async () => {
    const person = someone();
    await signUp(harness.server, person);
    const wrong = Array.from({ length: allowed }, () =>
      post(harness.server, "/auth/sign-in", { ...person, password: "wrong password" }),
    );
    expect(new Set((await Promise.all(wrong)).map(({ status }) => status))).toEqual(new Set([401]));
    const refused = await post(harness.server, "/auth/sign-in", person);
    expect([refused.status, refused.body.error.code]).toEqual([429, "too_many_attempts"]);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  });

  test("goes on while Redis is away, and the log says that nothing is counted", async () => {
    const { server, lines } = harness.replica({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    const person = someone();
    await signUp(server, person);
    expect((await post(server, "/auth/sign-in", { ...person, password: "wrong password" })).status).toBe(401);
    expect((await post(server, "/auth/sign-in", person)).status).toBe(200);
    expect(lines.join("")).toContain("sign-in attempts are not limited");
  });
});
