import { createHash, randomBytes } from "node:crypto";
import type { Secret } from "@nextai/service-kit";
import { SignJWT } from "jose";

/** Who a token speaks for. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly name: string;
}

export interface Signer {
  /** Seconds that an access token is valid. */
  readonly lifetime: number;
  sign(person: Person): Promise<string>;
}

const platform = "nextai-agent"; // issuer and audience: the gateway takes no other token

/** Makes access tokens, which the gateway verifies with the same secret. */
export function createSigner(secret: Secret, lifetime: number): Signer {
  const key = new TextEncoder().encode(secret.reveal());
  return {
    lifetime,
    sign({ id, email, name }) {
      const now = Math.floor(Date.now() / 1000);
      return new SignJWT({ email, name })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setSubject(id)
        .setIssuer(platform)
        .setAudience(platform)
        .setIssuedAt(now)
        .setExpirationTime(now + lifetime)
        .sign(key);
    },
  };
}

/** A refresh token: 256 random bits, which mean nothing to whoever reads them. */
export function newRefreshToken(): string {
  return randomBytes(32).toString("base64url");
}

/** What is stored of a refresh token. It is random, so a plain hash cannot be guessed back. */
export function hashRefreshToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
