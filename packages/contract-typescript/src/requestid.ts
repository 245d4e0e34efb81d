import { randomUUID } from "node:crypto";

/** The caller's id when it has the form that every service takes, else a new one: it goes into logs and other services' headers. */
export function requestId(given: string | readonly string[] | null | undefined): string {
  return typeof given === "string" && /^[A-Za-z0-9._-]{8,64}$/.test(given) ? given : randomUUID();
}
