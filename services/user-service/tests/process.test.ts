import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { required } from "@nextai/db/testing";
import { freePort, type Program, runNode } from "@nextai/service-kit/testing";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Harness, jwtSecret, someone, startHarness } from "./harness.ts";

// The bundle as the image has it: built, and away from the checkout and its node_modules.
let harness: Harness;
let folder: string;
let main: string;
const running: Program[] = [];

beforeAll(async () => {
  const service = fileURLToPath(new URL("..", import.meta.url));
  const build = fileURLToPath(import.meta.resolve("@nextai/service-kit/build"));
  folder = await mkdtemp(join(tmpdir(), "user-service-"));
  await promisify(execFile)(process.execPath, [build, join(folder, "dist")], { cwd: service });
  main = join(folder, "dist/main.js");
  harness = await startHarness();
});

afterAll(async () => {
  for (const { child } of running) child.kill("SIGKILL");
  await Promise.all(running.map(({ ended }) => ended));
  await harness?.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(): Promise<{ program: Program; port: number; url: string }> {
  const port = await freePort();
  const env = {
    DATABASE_URL: harness.databaseUrl,
    REDIS_URL: required("REDIS_URL", "redis://…"),
    JWT_SECRET: jwtSecret,
    HOST: "127.0.0.1",
    PORT: String(port),
  };
  const program = runNode([main], env);
  running.push(program);
  await program.waitFor(/listening on/);
  return { program, port, url: `http://127.0.0.1:${port}` };
}

test("without its variables it names all of them in one line and exits with 2", async () => {
  expect(await runNode([main], { JWT_SECRET: "too short", JWT_EXPIRES_IN: "never" }).ended).toEqual({
    code: 2,
    output:
      "user-service: cannot start: DATABASE_URL is required (PostgreSQL connection string); REDIS_URL is required (Redis connection string); " +
      "JWT_SECRET must have 32 characters or more; JWT_EXPIRES_IN must be a duration such as 15m, 12h or 7d\n",
  });
});

test("it serves from the bundle alone, and its health check sees it", async () => {
  const { port, url } = await start();
  const answer = await fetch(`${url}/auth/sign-up`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(someone()),
  });
  expect(answer.status).toBe(201);
  const check = () => runNode([join(folder, "dist/healthcheck.js"), "/health/ready"], { PORT: String(port) }).ended;
  await expect.poll(check, { timeout: 20_000 }).toEqual({ code: 0, output: "" });
});

test("on SIGTERM it answers the request under way, which still has its stores, and exits with 0", async () => {
  const { program, url } = await start();
  let answer: Promise<Response> | undefined;
  await harness.db.transaction(async (tx) => {
    await tx.execute(sql`SET LOCAL idle_in_transaction_session_timeout = 0`); // a busy machine hashes for longer
    // The sign-up waits for this lock, so the signal surely comes in the middle of it.
    await tx.execute(sql`LOCK TABLE users IN SHARE MODE`);
    answer = fetch(`${url}/auth/sign-up`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(someone()),
    });
    const waiting = sql`SELECT FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass`;
    await expect.poll(async () => (await harness.db.execute(waiting)).rowCount, { timeout: 20_000 }).toBe(1);
    program.child.kill("SIGTERM");
    await program.waitFor(/"msg":"stopping"/);
  });
  expect((await answer)?.status).toBe(201);
  const { code, output } = await program.ended;
  expect(code).toBe(0);
  expect(output).not.toContain('"level":"error"');
});
