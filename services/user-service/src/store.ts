import { type Database, refreshTokens, type User, uniqueViolation, users } from "@nextai/db";
import { Gone } from "@nextai/service-kit";
import { and, eq, gt, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { Person } from "./tokens.ts";

export interface NewUser {
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
}

/** What became of an attempt to exchange a refresh token. */
export type Rotation =
  | { readonly outcome: "rotated"; readonly person: Person }
  /** As many requests as may have exchanged the token within the leeway. */
  | { readonly outcome: "overtaken" }
  /** The token had been exchanged before: somebody has a copy, so its family was revoked. */
  | { readonly outcome: "reused" }
  /** Never issued, expired, or revoked. */
  | { readonly outcome: "invalid" };

/**
 * Accounts and refresh tokens in PostgreSQL. Tokens come and go as hashes only.
 *
 * What takes `gone` changes nothing for somebody who no longer waits, and throws Gone. A refresh that was given up would
 * else spend a token whose successor nobody has; the next refresh by it, after the leeway, would end the session.
 */
export interface Store {
  /** Null when the address has an account already. */
  createUser(user: NewUser, tokenHash: string, gone?: AbortSignal): Promise<Person | null>;
  findByEmail(email: string): Promise<User | null>;
  findById(id: string): Promise<User | null>;
  /** Starts a family of refresh tokens. */
  openSession(userId: string, tokenHash: string): Promise<void>;
  /** Revokes the family of a token, whatever became of the token itself. */
  closeSession(tokenHash: string): Promise<void>;
  replacePassword(userId: string, passwordHash: string): Promise<void>;
  /**
   * Whose token it is, while it may still be exchanged as far as a look without a lock tells; null of every other. One
   * that was spent before the leeway is such another: `rotate` ends its family and gives nothing for it.
   */
  ownerOf(tokenHash: string): Promise<string | null>;
  rotate(oldHash: string, newHash: string, gone?: AbortSignal): Promise<Rotation>;
  /** Throws unless the database answers and has the tables and columns that this version reads. */
  check(): Promise<void>;
}

/**
 * Seconds that a token stays good after it was first exchanged. The web server waits 10 seconds for an answer and may then
 * ask again, and each of its pods answers for an exchanged token from memory for 30: so long they may all ask.
 */
export const leeway = 30;
/** Tokens made of one within the leeway: web runs on six pods at most, and some answers are lost on the way. */
export const mostSiblings = 10;

const lifetime = sql`now() + interval '30 days'`; // by the database's clock, which all replicas share

export function createStore(db: Database): Store {
  return {
    async createUser(user, tokenHash, gone) {
      try {
        return await db.transaction(async (tx) => {
          const [created] = await tx
            .insert(users)
            .values({ ...user, lastSignedInAt: sql`now()` })
            .returning();
          if (created === undefined) throw new Error("the new account was not returned");
          await tx.insert(refreshTokens).values(firstToken(created.id, tokenHash));
          unlessGone(gone);
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
        await forgetExpired(tx, userId);
        await tx.insert(refreshTokens).values(firstToken(userId, tokenHash));
      });
    },

    async replacePassword(userId, passwordHash) {
      await db.update(users).set({ passwordHash, updatedAt: sql`now()` }).where(eq(users.id, userId));
    },

    async ownerOf(tokenHash) {
      const leewayAgo = sql`now() - make_interval(secs => ${leeway})`;
      const [found] = await db
        .select({ id: refreshTokens.userId })
        .from(refreshTokens)
        .where(
          and(
            eq(refreshTokens.tokenHash, tokenHash),
            isNull(refreshTokens.revokedAt),
            or(
              gt(refreshTokens.usedAt, leewayAgo),
              and(isNull(refreshTokens.usedAt), gt(refreshTokens.expiresAt, sql`now()`)),
            ),
          ),
        );
      return found?.id ?? null;
    },

    rotate(oldHash, newHash, gone) {
      return db.transaction(async (tx) => {
        const rotation = await rotate(tx, oldHash, newHash);
        if (rotation.outcome === "rotated") unlessGone(gone);
        return rotation;
      });
    },

    async closeSession(tokenHash) {
      await db.transaction(async (tx) => {
        if ((await lockOwner(tx, tokenHash)) === null) return;
        const family = tx
          .select({ family: refreshTokens.family })
          .from(refreshTokens)
          .where(eq(refreshTokens.tokenHash, tokenHash));
        await revoke(tx, sql`(${family})`);
      });
    },

    async check() {
      await Promise.all([db.select().from(users).limit(0), db.select().from(refreshTokens).limit(0)]);
    },
  };
}

/** Looked at last, right before COMMIT. */
function unlessGone(gone: AbortSignal | undefined): void {
  if (gone?.aborted) throw new Gone();
}

type Transaction = Parameters<Parameters<Database["transaction"]>[0]>[0];

/**
 * Exchanges a token, under the lock of its owner.
 *
 * A family goes from generation to generation. Whoever comes first with any token of the newest one spends that
 * generation, all of it at one moment, and has the first token of the next. Within the leeway the others who hold a
 * token of the spent generation get siblings of that one. Later, or when the next generation has been spent in turn,
 * a spent token is a copy in wrong hands.
 */
async function rotate(tx: Transaction, oldHash: string, newHash: string): Promise<Rotation> {
  const owner = await lockOwner(tx, oldHash);
  if (owner === null) return { outcome: "invalid" };
  const token = await lockToken(tx, oldHash);
  if (token === null || token.revoked) return { outcome: "invalid" };
  if (!token.spent) {
    if (token.expired) return { outcome: "invalid" };
    await forgetExpired(tx, owner.id);
    await spendGeneration(tx, token.family);
  } else {
    const { recent, siblings } = await successors(tx, oldHash);
    if (!recent) {
      await revoke(tx, token.family);
      return { outcome: "reused" };
    }
    if (siblings >= mostSiblings) return { outcome: "overtaken" };
  }
  await tx
    .insert(refreshTokens)
    .values({ userId: owner.id, family: token.family, tokenHash: newHash, expiresAt: lifetime });
  return { outcome: "rotated", person: owner };
}

/** Locks the owner of a token until the end of the transaction, so that one at a time changes the owner's tokens. */
async function lockOwner(tx: Transaction, tokenHash: string): Promise<Person | null> {
  const owner = tx
    .select({ id: refreshTokens.userId })
    .from(refreshTokens)
    .where(eq(refreshTokens.tokenHash, tokenHash));
  const [found] = await tx.select().from(users).where(eq(users.id, owner)).for("no key update");
  return found === undefined ? null : person(found);
}

/** The state of a token, by a statement that begins after the owner is locked and so sees what others did before. */
async function lockToken(tx: Transaction, tokenHash: string) {
  const [found] = await tx
    .select({
      family: refreshTokens.family,
      spent: sql<boolean>`${refreshTokens.usedAt} IS NOT NULL`,
      revoked: sql<boolean>`${refreshTokens.revokedAt} IS NOT NULL`,
      expired: sql<boolean>`${refreshTokens.expiresAt} <= statement_timestamp()`,
    })
    .from(refreshTokens)
    .where(eq(refreshTokens.tokenHash, tokenHash))
    .for("no key update");
  return found ?? null;
}

/**
 * A spent token stays until it would have expired: without its row nobody could tell a copy of it from a token that never
 * was, and its family would live on. How many there are is bounded by the count of refreshes (attempts.ts).
 */
async function forgetExpired(tx: Transaction, userId: string): Promise<void> {
  await tx.delete(refreshTokens).where(and(eq(refreshTokens.userId, userId), lt(refreshTokens.expiresAt, sql`now()`)));
}

async function spendGeneration(tx: Transaction, family: string): Promise<void> {
  await tx
    .update(refreshTokens)
    .set({ usedAt: sql`statement_timestamp()` }) // not now(): that is before the wait for the lock
    .where(and(eq(refreshTokens.family, family), isNull(refreshTokens.usedAt)));
}

/** Whether a spent token is of the last generation but one and within the leeway, and how many tokens follow it. */
async function successors(tx: Transaction, tokenHash: string): Promise<{ recent: boolean; siblings: number }> {
  const { rows } = await tx.execute<{ recent: boolean; siblings: number }>(sql`
    SELECT spent.used_at > statement_timestamp() - make_interval(secs => ${leeway})
        AND spent.used_at = max(relative.used_at) AS recent,
      count(*) FILTER (WHERE relative.used_at IS NULL)::int AS siblings
    FROM refresh_tokens spent JOIN refresh_tokens relative USING (family)
    WHERE spent.token_hash = ${tokenHash}
    GROUP BY spent.used_at`);
  return rows[0] ?? { recent: false, siblings: 0 };
}

async function revoke(tx: Transaction, family: string | SQL): Promise<void> {
  await tx
    .update(refreshTokens)
    .set({ revokedAt: sql`statement_timestamp()` })
    .where(and(eq(refreshTokens.family, family), isNull(refreshTokens.revokedAt)));
}

function firstToken(userId: string, tokenHash: string) {
  return { userId, tokenHash, family: sql`gen_random_uuid()`, expiresAt: lifetime };
}

function person({ id, email, name }: User): Person {
  return { id, email, name };
}
