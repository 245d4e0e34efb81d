import { createTestDatabase } from "@nextai/db/testing";
import { freePort } from "@nextai/service-kit/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Harness, post, signUp, someone, startHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness?.close());

async function ready(server = harness.server) {
  const answer = await server.inject({ url: "/health/ready" });
  return { status: answer.statusCode, ...(answer.json() as { checks: Record<string, string> }) };
}

test("is ready when PostgreSQL, with its schema, and Redis answer", async () => {
  expect(await ready()).toEqual({ status: "ok", checks: { postgres: "ok", redis: "ok" } });
  expect((await harness.server.inject({ url: "/health/ready" })).statusCode).toBe(200);
});

test("is alive but not ready when PostgreSQL is gone, and tells people to try again", async () => {
  const { server } = harness.replica({
    DATABASE_URL: `postgresql://nobody:hunter2@127.0.0.1:${await freePort()}/nothing`,
  });
  const answer = await server.inject({ url: "/health/ready" });
  expect(answer.statusCode).toBe(503);
  expect(answer.json()).toMatchObject({
    status: "unavailable",
    checks: { postgres: "error: failed (the log says why)" },
  });
  expect((await server.inject({ url: "/health" })).statusCode).toBe(200);
  const refused = await post(server, "/auth/sign-up", someone());
  expect([refused.status, refused.body.error.code]).toEqual([503, "unavailable"]);
});

test("is not ready in a database that was not migrated", async () => {
  const empty = await createTestDatabase({ migrated: false });
  const { server } = harness.replica({ DATABASE_URL: empty.url });
  expect((await ready(server)).checks.postgres).toBe("error: failed (the log says why)");
  await empty.drop();
});

test("is ready without Redis, which it shows to be gone, since nobody needs it to sign in", async () => {
  const { server } = harness.replica({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
  expect(await ready(server)).toMatchObject({
    status: "ok",
    checks: { postgres: "ok", redis: expect.stringMatching(/^error: /) },
  });
  expect((await server.inject({ url: "/health/ready" })).statusCode).toBe(200);
  await signUp(server);
});
