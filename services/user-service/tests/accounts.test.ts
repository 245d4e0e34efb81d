import { users } from "@nextai/db";
import { eq } from "drizzle-orm";
import { decodeProtectedHeader, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Session } from "../src/accounts.ts";
import { type Harness, jwtSecret, newAccount, post, signUp, someone, startHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness?.close());

describe("signing up", () => {
  test("makes an account and a session", async () => {
    const person = someone();
    const { status, body, headers } = await post<Session>(harness.server, "/auth/sign-up", {
      ...person,
      name: "  Ann  ",
    });
    expect(status).toBe(201);
    expect(headers["cache-control"]).toBe("no-store");
    expect(body).toEqual({
      user: { id: expect.any(String), email: person.email, name: "Ann" },
      accessToken: expect.any(String),
      refreshToken: expect.stringMatching(/^[\w-]{43}$/),
      expiresIn: 900,
    });
  });

  test("issues an access token that the gateway verifies by the shared secret", async () => {
    const { user, accessToken } = await signUp(harness.server);
    const { payload } = await jwtVerify(accessToken, new TextEncoder().encode(jwtSecret), {
      algorithms: ["HS256"],
      issuer: "nextai-agent",
      audience: "nextai-agent",
    });
    expect(payload).toMatchObject({ sub: user.id, email: user.email, name: user.name });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(900);
    expect(decodeProtectedHeader(accessToken).alg).toBe("HS256");
  });

  test("stores the password as a salted scrypt hash with its parameters, and nothing else of it", async () => {
    const [one, two] = [someone(), someone()];
    const sessions = [await signUp(harness.server, one), await signUp(harness.server, two)];
    const stored = await Promise.all(
      sessions.map(({ user }) => harness.db.select().from(users).where(eq(users.id, user.id))),
    );
    const hashes = stored.map(([row]) => row?.passwordHash);
    expect(hashes).toEqual([expect.stringMatching(/^\$scrypt\$ln=15,r=8,p=3\$/), expect.stringMatching(/^\$scrypt\$/)]);
    expect(hashes[0]).not.toBe(hashes[1]);
    expect(JSON.stringify(stored)).not.toContain(one.password);
  });

  test("refuses an address that has an account, in any case", async () => {
    const person = someone();
    await signUp(harness.server, person);
    for (const email of [person.email, person.email.toUpperCase()]) {
      const { status, body } = await post(harness.server, "/auth/sign-up", { ...person, email });
      expect([status, body.error.code]).toEqual([409, "email_taken"]);
    }
  });

  test("gives an address to one of several who ask at once", async () => {
    const person = someone();
    const answers = await Promise.all(Array.from({ length: 4 }, () => post(harness.server, "/auth/sign-up", person)));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409, 409, 409]);
  });

  test.each([
    [{ email: "no address" }, ["email"]],
    [{ email: 5 }, ["email"]],
    [{ email: `${"a".repeat(250)}@example.org` }, ["email"]],
    [{ password: "seven77" }, ["password"]],
    [{ password: "x".repeat(257) }, ["password"]],
    [{ name: " " }, ["name"]],
    [{ name: "\u200b\u2060" }, ["name"]],
    [{ name: "a\u0000b" }, ["name"]],
    [{ name: undefined, password: undefined }, ["password", "name"]],
  ])("names the field that is wrong in %j", async (change, fields) => {
    const { status, body } = await post(harness.server, "/auth/sign-up", { ...someone(), ...change });
    expect([status, body.error.code]).toEqual([422, "validation"]);
    expect(body.error.fields?.map(({ field }) => field)).toEqual(fields);
  });
});

describe("signing in", () => {
  test("takes the address in any case, and gives a session of its own", async () => {
    const person = someone();
    const first = await signUp(harness.server, person);
    const { status, body } = await post<Session>(harness.server, "/auth/sign-in", {
      email: person.email.toUpperCase(),
      password: person.password,
    });
    expect(status).toBe(200);
    expect(body.user).toEqual(first.user);
    expect(body.refreshToken).not.toBe(first.refreshToken);
  });

  test("says the same of a wrong password and of an unknown address", async () => {
    const person = someone();
    await signUp(harness.server, person);
    const wrong = await post(harness.server, "/auth/sign-in", { ...person, password: "wrong password" });
    const unknown = await post(harness.server, "/auth/sign-in", { ...person, email: someone().email });
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    expect(wrong.body.error.code).toBe("invalid_credentials");
    expect({ ...unknown.body.error, requestId: "" }).toEqual({ ...wrong.body.error, requestId: "" });
  });

  test("takes as long for an unknown address as for a wrong password", async () => {
    const person = someone();
    await signUp(harness.server, person);
    const took = async (email: string): Promise<number> => {
      const begun = performance.now();
      await post(harness.server, "/auth/sign-in", { email, password: "wrong password" });
      return performance.now() - begun;
    };
    // The fastest of some, since a busy machine only ever adds to the time. Without the hash it would be a hundredth.
    const fastest = async (email: () => string): Promise<number> =>
      Math.min(await took(email()), await took(email()), await took(email()));
    const unknown = await fastest(() => someone().email);
    const known = await fastest(() => person.email);
    expect(unknown / known).toBeGreaterThan(0.3);
  });

  test("hashes a password anew whose parameters are out of date", async () => {
    const person = someone();
    const { user } = await signUp(harness.server, person);
    // "correct horse battery" under N=2^4, r=1, p=1, as an earlier release could have stored it.
    const { scryptSync } = await import("node:crypto");
    const salt = Buffer.from("0123456789abcdef");
    const old = `$scrypt$ln=4,r=1,p=1$${salt.toString("base64url")}$${scryptSync(person.password, salt, 32, { N: 16, r: 1, p: 1 }).toString("base64url")}`;
    await harness.db.update(users).set({ passwordHash: old }).where(eq(users.id, user.id));
    for (const attempt of ["with the old hash", "with the new one"]) {
      expect((await post(harness.server, "/auth/sign-in", person)).status, attempt).toBe(200);
    }
    const [row] = await harness.db.select().from(users).where(eq(users.id, user.id));
    expect(row?.passwordHash).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/);
  });
});

describe("the account", () => {
  test("is shown to whom the gateway names", async () => {
    const { user } = await newAccount(harness.db);
    const answer = await harness.server.inject({ url: "/users/me", headers: { "x-user-id": user.id } });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ ...user, createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) });
  });

  test.each([
    {},
    { "x-user-id": "" },
    { "x-user-id": "1 or 1=1" },
    { "x-user-id": "00000000-0000-4000-8000-000000000000" },
  ])("is refused to %j", async (headers) => {
    const answer = await harness.server.inject({ url: "/users/me", headers });
    expect([answer.statusCode, (answer.json() as { error: { code: string } }).error.code]).toEqual([
      401,
      "unauthenticated",
    ]);
  });
});

test("nothing that is logged holds a password, a token or an address", async () => {
  const person = someone();
  const session = await signUp(harness.server, person);
  await post(harness.server, "/auth/sign-up", person);
  await post(harness.server, "/auth/refresh", { refreshToken: session.refreshToken });
  const log = harness.lines.join("");
  for (const secret of [person.email, person.password, session.refreshToken, session.accessToken])
    expect(log).not.toContain(secret);
});
