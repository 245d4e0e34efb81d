import { ApiError, type Caller } from "@nextai/service-kit";
import type { Attempt, Attempts } from "./attempts.ts";
import { hashPassword, isOutdated, nobody, verifyPassword } from "./passwords.ts";
import { withPlaces } from "./places.ts";
import type { Store } from "./store.ts";
import { hashRefreshToken, newRefreshToken, type Person, type Signer } from "./tokens.ts";

/** What a person holds after signing in. */
export interface Session {
  readonly user: Person;
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Seconds until the access token expires. */
  readonly expiresIn: number;
}

export interface Profile extends Person {
  readonly createdAt: string;
}

export interface Accounts {
  signUp(email: string, password: string, name: string, caller: Caller): Promise<Session>;
  signIn(email: string, password: string, caller: Caller): Promise<Session>;
  refresh(refreshToken: string, gone?: AbortSignal): Promise<Session>;
  signOut(refreshToken: string): Promise<void>;
  profile(userId: string): Promise<Profile>;
}

/** The rules of signing in; refusals are ApiErrors. */
export function createAccounts(store: Store, signer: Signer, attempts: Attempts): Accounts {
  async function session(user: Person, refreshToken: string): Promise<Session> {
    return { user, accessToken: await signer.sign(user), refreshToken, expiresIn: signer.lifetime };
  }

  /** Does what costs a hash, unless the client or the account has its share of it, or has had it. */
  function counted<T>(attempt: Attempt, work: () => Promise<T>): Promise<T> {
    return withPlaces(sharersOf(attempt), async () => {
      const wait = await attempts.begin(attempt);
      if (wait !== null) throw tooManyAttempts(wait);
      try {
        return await work();
      } catch (error) {
        if (isOurFault(error)) await attempts.takeBack(attempt);
        throw error;
      }
    });
  }

  return {
    signUp(email, password, name, { network, gone }) {
      return counted({ client: network }, async () => {
        const refreshToken = newRefreshToken();
        const user = await store.createUser(
          { email, name: name.trim(), passwordHash: await hashPassword(password, gone) },
          hashRefreshToken(refreshToken),
          gone,
        );
        if (user === null) throw emailTaken();
        return session(user, refreshToken);
      });
    },

    signIn(email, password, { network, gone }) {
      const attempt = { client: network, email };
      return counted(attempt, async () => {
        const user = await store.findByEmail(email);
        const right = await verifyPassword(password, user?.passwordHash ?? nobody, gone);
        if (user === null || !right) throw invalidCredentials();
        if (isOutdated(user.passwordHash)) await store.replacePassword(user.id, await hashPassword(password, gone));
        const refreshToken = newRefreshToken();
        await store.openSession(user.id, hashRefreshToken(refreshToken));
        await attempts.succeeded(attempt);
        return session({ id: user.id, email: user.email, name: user.name }, refreshToken);
      });
    },

    async refresh(refreshToken, gone) {
      const [hash, next] = [hashRefreshToken(refreshToken), newRefreshToken()];
      // What cannot be exchanged is not counted and not refused for the count: a copy of a spent token has to end its
      // family however often the thief has refreshed, and a dead one must use up nobody's refreshes.
      const owner = await store.ownerOf(hash);
      const wait = owner === null ? null : await attempts.refresh(owner);
      if (wait !== null) throw tooManyAttempts(wait);
      const rotation = await store.rotate(hash, hashRefreshToken(next), gone);
      if (rotation.outcome === "rotated") return session(rotation.person, next);
      if (rotation.outcome === "overtaken") throw overtaken();
      throw rotation.outcome === "reused" ? reused() : invalidRefreshToken();
    },

    async signOut(refreshToken) {
      await store.closeSession(hashRefreshToken(refreshToken));
    },

    async profile(userId) {
      const user = await store.findById(userId);
      if (user === null) throw new ApiError(401, "unauthenticated", "This account is no longer there.");
      return { id: user.id, email: user.email, name: user.name, createdAt: user.createdAt.toISOString() };
    },
  };
}

/** Who must not have more than a share of the hashing: names for places. */
function sharersOf({ client, email }: Attempt): string[] {
  return email === undefined ? [`client ${client}`] : [`client ${client}`, `account ${email.toLowerCase()}`];
}

/** Whether the client could do nothing about it: the service is busy, a store is away. */
function isOurFault(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status >= 500;
}

function emailTaken(): ApiError {
  return new ApiError(409, "email_taken", "There is an account with this e-mail address already.");
}

function invalidCredentials(): ApiError {
  return new ApiError(401, "invalid_credentials", "The e-mail address or the password is wrong.");
}

function tooManyAttempts(seconds: number): ApiError {
  const minutes = Math.ceil(seconds / 60);
  const message = `Too many attempts. Try again in ${minutes} minute${minutes === 1 ? "" : "s"}.`;
  return new ApiError(429, "too_many_attempts", message, { "retry-after": String(seconds) });
}

function invalidRefreshToken(): ApiError {
  return new ApiError(401, "invalid_refresh_token", "The session has ended. Sign in again.");
}

function reused(): ApiError {
  return new ApiError(
    401,
    "refresh_reused",
    "This refresh token was used before, so the session was ended. Sign in again.",
  );
}

function overtaken(): ApiError {
  return new ApiError(409, "refresh_overtaken", "This refresh token was exchanged just now. Use what came of it.");
}
