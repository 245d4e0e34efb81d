import { isIP, isIPv6 } from "node:net";
import type { FastifyRequest } from "fastify";

/** Who asks, as far as anybody knows before they have signed in. */
export interface Caller {
  /** Its address; of an IPv6 address the /64, all of which one customer of a network provider has. */
  readonly network: string;
}

export function callerOf(request: Pick<FastifyRequest, "headers" | "ip">): Caller {
  return { network: networkOf(request) };
}

/** By the address that the gateway found and wrote in place of any other; only the gateway reaches this service. */
function networkOf({ headers, ip }: Pick<FastifyRequest, "headers" | "ip">): string {
  const forwarded = String(headers["x-forwarded-for"]);
  const address = isIP(forwarded) ? forwarded : ip;
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
