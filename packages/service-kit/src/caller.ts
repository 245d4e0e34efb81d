import { isIP, isIPv6 } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "./errors.ts";

/** Who asks, as far as anybody knows before they have signed in. */
export interface Caller {
  /** Its address; of an IPv6 address the /64, all of which one customer of a network provider has. */
  readonly network: string;
  /** Aborts when nobody waits any more: the caller has left, or has its answer, which may be that it took too long. */
  readonly gone: AbortSignal;
}

export function callerOf(request: Pick<FastifyRequest, "headers" | "ip">, reply: Pick<FastifyReply, "raw">): Caller {
  return { network: networkOf(request), gone: goneFrom(reply) };
}

/** By the address that the gateway found and wrote in place of any other; only the gateway reaches this service. */
function networkOf({ headers, ip }: Pick<FastifyRequest, "headers" | "ip">): string {
  const forwarded = String(headers["x-forwarded-for"]);
  const address = (isIP(forwarded) ? forwarded : ip).replace(/^::ffff:(?=\d+\.)/i, ""); // as a socket of both kinds writes IPv4
  return isIPv6(address) ? network64(address) : address;
}

/** The first four of the eight groups; "::" stands for as many zeros as are missing. */
function network64(address: string): string {
  const [front = "", back] = address.split("::");
  const before = front === "" ? [] : front.split(":");
  const after = back ? back.split(":") : [];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return `${[...before, ...zeros, ...after].slice(0, 4).join(":")}::/64`;
}

/** The answer's end, since the request's own comes as soon as its body is read; Fastify's request.signal goes by that one. */
function goneFrom({ raw }: Pick<FastifyReply, "raw">): AbortSignal {
  const gone = new AbortController();
  if (raw.destroyed) gone.abort();
  else raw.once("close", () => gone.abort());
  return gone.signal;
}

/** The user whose access token the gateway verified; only the gateway reaches a service. Throws 401 where it names none. */
export function userId(request: Pick<FastifyRequest, "headers">): string {
  const id = request.headers["x-user-id"];
  if (typeof id === "string" && /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)) return id;
  throw new ApiError(401, "unauthenticated", "Sign in first.");
}

/** Nobody waits for what is being done, so it is not done; nobody is left to get this answer. */
export class Gone extends ApiError {
  constructor() {
    super(499, "client_gone", "The request was given up.");
  }
}
