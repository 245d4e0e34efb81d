import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from "node:crypto";
import { ApiError, Gone } from "@nextai/service-kit";
import pLimit from "p-limit";

interface Parameters {
  /** Binary logarithm of the cost N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

// One of the equal choices of https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt:
// 32 MiB for a hash, so that those that run at once fit into a small container.
const current: Parameters = { ln: 15, r: 8, p: 3 };
// One of libuv's four threads stays free: it also looks up the names of PostgreSQL and Redis, which many who sign in at
// once would else keep from being reached.
const turn = pLimit(3);
// A hash takes 0.3 s of a core, and a pod has one: the last of these has its turn after some 5 s, within the
// 6 s that a request has here. Whoever would come later is better told so at once.
const mostWaiting = 16;
const saltBytes = 16;
const hashBytes = 32;

/** Too many passwords wait to be hashed. */
export class Busy extends ApiError {
  constructor() {
    super(503, "busy", "Many people are signing in just now. Try again in a few seconds.", { "retry-after": "5" });
  }
}

/**
 * The hash to store, with its own salt and parameters: `$scrypt$ln=15,r=8,p=3$SALT$HASH`.
 * Throws Busy, or Gone when `gone` has aborted before it is its turn.
 */
export async function hashPassword(password: string, gone?: AbortSignal): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, salt, hashBytes, current, gone);
  return `$scrypt$ln=${current.ln},r=${current.r},p=${current.p}$${encode(salt)}$${encode(hash)}`;
}

/** Whether the password is the one that was hashed. Throws Busy or Gone, and on a hash that this module did not write. */
export async function verifyPassword(password: string, stored: string, gone?: AbortSignal): Promise<boolean> {
  const { salt, hash, parameters } = parse(stored);
  return timingSafeEqual(await derive(password, salt, hash.length, parameters, gone), hash);
}

/** Whether the hash was made with other parameters than today's, and should be made anew at the next sign-in. */
export function isOutdated(stored: string): boolean {
  const { ln, r, p } = parse(stored).parameters;
  return ln !== current.ln || r !== current.r || p !== current.p;
}

/** A hash that no password fits, to spend the same time on an unknown e-mail address as on a wrong password. */
export const nobody = `$scrypt$ln=${current.ln},r=${current.r},p=${current.p}$${encode(randomBytes(saltBytes))}$${encode(randomBytes(hashBytes))}`;

function parse(stored: string): { salt: Buffer; hash: Buffer; parameters: Parameters } {
  const match = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/-]+)\$([\w+/-]+)$/.exec(stored);
  if (match === null) throw new Error("a stored password hash has an unknown form");
  const [, ln, r, p, salt = "", hash = ""] = match;
  return {
    salt: Buffer.from(salt, "base64url"),
    hash: Buffer.from(hash, "base64url"),
    parameters: { ln: Number(ln), r: Number(r), p: Number(p) },
  };
}

function derive(
  password: string,
  salt: Buffer,
  length: number,
  { ln, r, p }: Parameters,
  gone: AbortSignal | undefined,
): Promise<Buffer> {
  if (turn.pendingCount >= mostWaiting) throw new Busy();
  const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r };
  // The same text can be typed in several Unicode forms, by the keyboard's choice and not by the person's.
  const text = password.normalize("NFKC");
  return turn(() => {
    if (gone?.aborted) throw new Gone();
    return new Promise((resolve, reject) => {
      scrypt(text, salt, length, options, (error, key) => (error ? reject(error) : resolve(key)));
    });
  });
}

function encode(bytes: Buffer): string {
  return bytes.toString("base64url");
}
