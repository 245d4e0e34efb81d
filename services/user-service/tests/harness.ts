import { randomBytes, randomUUID } from "node:crypto";
import { connect, type Database } from "@nextai/db";
import { createTestDatabase, required } from "@nextai/db/testing";
import { createLog, readConfig, type Server } from "@nextai/service-kit";
import { vi } from "vitest";
import contract from "../contract.json" with { type: "json" };
import type { Session } from "../src/accounts.ts";
import { assemble } from "../src/assemble.ts";
import { pick } from "../src/config.ts";
import { nobody } from "../src/passwords.ts";
import { createStore } from "../src/store.ts";
import { hashRefreshToken, newRefreshToken, type Person } from "../src/tokens.ts";

export const jwtSecret = "a secret of this test, 32 characters or more";

/** The service against a database of its own, with what it has logged. */
export interface Harness {
  readonly server: Server;
  readonly db: Database;
  readonly databaseUrl: string;
  readonly lines: string[];
  /** The service once more, as a second replica; closed together with the first. */
  replica(env?: Readonly<Record<string, string>>): { server: Server; lines: string[] };
  close(): Promise<void>;
}

export async function startHarness(): Promise<Harness> {
  const redisUrl = required("REDIS_URL", "redis://127.0.0.1:6379");
  const database = await createTestDatabase();
  const own = connect(database.url, { application: "user-service-test" });
  const closing: (() => Promise<void>)[] = [];

  function replica(env: Readonly<Record<string, string>> = {}) {
    const given = {
      DATABASE_URL: database.url,
      REDIS_URL: redisUrl,
      JWT_SECRET: jwtSecret,
      JWT_EXPIRES_IN: "15m",
      ...env,
    };
    const lines: string[] = [];
    const log = createLog({
      service: contract.service,
      level: "debug",
      format: "json",
      destination: { write: (line) => lines.push(line) },
    });
    // A busy machine hashes for longer than a request has; what the limit does is looked at in the kit's own tests.
    const parts = assemble(readConfig(contract, given, pick), log, 60_000);
    closing.push(async () => {
      await parts.server.close();
      await parts.close();
    });
    return { server: parts.server, lines };
  }

  const first = replica();
  await connected(first.server);
  return {
    ...first,
    db: own.db,
    databaseUrl: database.url,
    replica,
    async close() {
      await Promise.all(closing.map((close) => close()));
      await own.close();
      await database.drop();
    },
  };
}

/** Stores are connected to in the background; waits until they are. */
function connected(server: Server): Promise<void> {
  return vi.waitFor(
    async () => {
      const answer = await server.inject({ url: "/health/ready" });
      if (answer.body.includes("error: ")) throw new Error(`the stores do not answer: ${answer.body}`);
    },
    { timeout: 20_000 },
  );
}

export interface Answer<T> {
  readonly status: number;
  readonly body: T;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface Problem {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly requestId: string;
    readonly fields?: readonly { field: string }[];
  };
}

/** Posts from a client address of its own, so that no test uses up what another may do. */
export async function post<T = Problem>(
  server: Server,
  url: string,
  payload: object,
  from = address(),
): Promise<Answer<T>> {
  const headers = { "x-forwarded-for": from };
  const answer = await server.inject({ method: "POST", url, payload, headers });
  return { status: answer.statusCode, body: (answer.body === "" ? {} : answer.json()) as T, headers: answer.headers };
}

/** A client's address; no two are of one network. */
export function address(): string {
  return `2001:db8:${randomBytes(2).toString("hex")}:${randomBytes(2).toString("hex")}::1`;
}

export function someone(): { email: string; password: string; name: string } {
  return { email: `ann-${randomUUID()}@example.org`, password: "correct horse battery", name: "Ann" };
}

/** A new account with a session, put into the store without the time that hashing a password takes. */
export async function newAccount(db: Database): Promise<{ user: Person; refreshToken: string }> {
  const { email, name } = someone();
  const refreshToken = newRefreshToken();
  const user = await createStore(db).createUser({ email, name, passwordHash: nobody }, hashRefreshToken(refreshToken));
  if (user === null) throw new Error("the address of a new account was taken");
  return { user, refreshToken };
}

/** A new account and its first session. */
export async function signUp(server: Server, person = someone()): Promise<Session> {
  const { status, body } = await post<Session>(server, "/auth/sign-up", person);
  if (status !== 201) throw new Error(`sign-up answered ${status}: ${JSON.stringify(body)}`);
  return body;
}
