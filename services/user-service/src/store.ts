import { type Database, refreshTokens, type User, uniqueViolation, users } from "@nextai/db";
import { and, eq, isNull, lt, sql } from "drizzle-orm";
import type { Person } from "./tokens.ts";

export interface NewUser {
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
}

/** What became of an attempt to exchange a refresh token. */
export type Rotation =
  | { readonly outcome: "rotated"; readonly person: Person }
  /** Another request exchanged the token while this one was under way. */
  | { readonly outcome: "overtaken" }
  /** The token had been exchanged before: somebody has a copy. */
  | { readonly outcome: "reused"; readonly family: string }
  /** Never issued, expired, or revoked. */
  | { readonly outcome: "invalid" };

/** Accounts and refresh tokens in PostgreSQL. Tokens come and go as hashes only. */
export interface Store {
  /** Null when the address has an account already. */
  createUser(user: NewUser, tokenHash: string): Promise<Person | null>;
  findByEmail(email: string): Promise<User | null>;
  findById(id: string): Promise<User | null>;
  /** Starts a family of refresh tokens. */
  openSession(userId: string, tokenHash: string): Promise<void>;
  replacePassword(userId: string, passwordHash: string): Promise<void>;
  rotate(oldHash: string, newHash: string): Promise<Rotation>;
  revokeFamily(family: string): Promise<void>;
  findFamily(tokenHash: string): Promise<string | null>;
  /** Throws unless the database answers and has the tables and columns that this version reads. */
  check(): Promise<void>;
}

const lifetime = sql`now() + interval '30 days'`; // by the database's clock, which all replicas share

export function createStore(db: Database): Store {
  return {
    async createUser(user, tokenHash) {
      try {
        return await db.transaction(async (tx) => {
          const [created] = await tx
            .insert(users)
            .values({ ...user, lastSignedInAt: sql`now()` })
            .returning();
          if (created === undefined) throw new Error("the new account was not returned");
          await tx.insert(refreshTokens).values(firstToken(created.id, tokenHash));
          return person(created);
        });
      } catch (error) {
        if (uniqueViolation(error) === "users_email_key") return null;
        throw error;
      }
    },

    async findByEmail(email) {
      const [found] = await db.select().from(users).where(sql`lower(${users.email}) = lower(${email})`);
      return found ?? null;
    },

    async findById(id) {
      const [found] = await db.select().from(users).where(eq(users.id, id));
      return found ?? null;
    },

    async openSession(userId, tokenHash) {
      await db.transaction(async (tx) => {
        await tx.update(users).set({ lastSignedInAt: sql`now()` }).where(eq(users.id, userId));
        await tx
          .delete(refreshTokens)
          .where(and(eq(refreshTokens.userId, userId), lt(refreshTokens.expiresAt, sql`now()`)));
        await tx.insert(refreshTokens).values(firstToken(userId, tokenHash));
      });
    },

    async replacePassword(userId, passwordHash) {
      await db.update(users).set({ passwordHash, updatedAt: sql`now()` }).where(eq(users.id, userId));
    },

    rotate: (oldHash, newHash) => rotate(db, oldHash, newHash),

    async revokeFamily(family) {
      // A token that is just being exchanged has a successor that the first pass cannot see yet; the next one does.
      for (let revoked = 1; revoked > 0; ) {
        const alive = and(eq(refreshTokens.family, family), isNull(refreshTokens.revokedAt));
        revoked = (await db.update(refreshTokens).set({ revokedAt: sql`now()` }).where(alive)).rowCount ?? 0;
      }
    },

    async findFamily(tokenHash) {
      const [found] = await db
        .select({ family: refreshTokens.family })
        .from(refreshTokens)
        .where(eq(refreshTokens.tokenHash, tokenHash));
      return found?.family ?? null;
    },

    async check() {
      await Promise.all([db.select().from(users).limit(0), db.select().from(refreshTokens).limit(0)]);
    },
  };
}

interface RotationRow extends Record<string, unknown> {
  readonly family: string;
  readonly used: boolean;
  readonly revoked: boolean;
  readonly expired: boolean;
  readonly won: boolean;
  readonly id: string;
  readonly email: string;
  readonly name: string;
}

/**
 * Exchanges a token in one statement, so that of any number of requests with the same token exactly one wins.
 *
 * `before` shows the row as it was when the statement began; `spent` waits for whoever holds the row and then looks
 * again. A token that was good in the first and is not in the second was overtaken, not stolen.
 */
async function rotate(db: Database, oldHash: string, newHash: string): Promise<Rotation> {
  const { rows } = await db.execute<RotationRow>(sql`
    WITH before AS (
      SELECT user_id, family, used_at IS NOT NULL AS used, revoked_at IS NOT NULL AS revoked, expires_at <= now() AS expired
      FROM refresh_tokens WHERE token_hash = ${oldHash}
    ), spent AS (
      UPDATE refresh_tokens SET used_at = now()
      WHERE token_hash = ${oldHash} AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
      RETURNING user_id, family
    ), fresh AS (
      INSERT INTO refresh_tokens (user_id, family, token_hash, expires_at)
      SELECT user_id, family, ${newHash}, ${lifetime} FROM spent
    )
    SELECT family, used, revoked, expired, EXISTS (SELECT FROM spent) AS won, users.id, users.email, users.name
    FROM before JOIN users ON users.id = before.user_id`);
  const row = rows[0];
  if (row === undefined) return { outcome: "invalid" };
  if (row.won) return { outcome: "rotated", person: { id: row.id, email: row.email, name: row.name } };
  if (row.used) return { outcome: "reused", family: row.family };
  return { outcome: row.revoked || row.expired ? "invalid" : "overtaken" };
}

function firstToken(userId: string, tokenHash: string) {
  return { userId, tokenHash, family: sql`gen_random_uuid()`, expiresAt: lifetime };
}

function person({ id, email, name }: User): Person {
  return { id, email, name };
}
