import { sql } from "drizzle-orm";
import { index, pgTable, text, timestamp, uniqueIndex, uuid } from "drizzle-orm/pg-core";

const moment = (name: string) => timestamp(name, { withTimezone: true });

/** People who can sign in. */
export const users = pgTable(
  "users",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    /** As the person wrote it; one account an address, whatever its case. */
    email: text("email").notNull(),
    name: text("name").notNull(),
    /** With its parameters and salt: `$scrypt$ln=15,r=8,p=3$…$…`. */
    passwordHash: text("password_hash").notNull(),
    createdAt: moment("created_at").notNull().defaultNow(),
    updatedAt: moment("updated_at").notNull().defaultNow(),
    lastSignedInAt: moment("last_signed_in_at"),
  },
  (table) => [uniqueIndex("users_email_key").on(sql`lower(${table.email})`)],
);

/** Refresh tokens, each to be exchanged once for the next. What follows from one sign-in is a family, and ends as one. */
export const refreshTokens = pgTable(
  "refresh_tokens",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    userId: uuid("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    family: uuid("family").notNull(),
    /** SHA-256 of the token in hexadecimal; the token itself is stored nowhere. */
    tokenHash: text("token_hash").notNull(),
    createdAt: moment("created_at").notNull().defaultNow(),
    expiresAt: moment("expires_at").notNull(),
    /** When it was exchanged, or a sibling in its place: tokens of one family and moment are one generation. */
    usedAt: moment("used_at"),
    revokedAt: moment("revoked_at"),
  },
  (table) => [
    uniqueIndex("refresh_tokens_token_hash_key").on(table.tokenHash),
    index("refresh_tokens_family_idx").on(table.family),
    index("refresh_tokens_user_id_idx").on(table.userId),
  ],
);

export type User = typeof users.$inferSelect;
export type RefreshToken = typeof refreshTokens.$inferSelect;
