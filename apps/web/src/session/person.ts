import { cookies } from "next/headers";
import { config } from "../server/config.ts";
import { cookieNames } from "../server/cookies.ts";

/** Who the cookies say is signed in; `name` is empty where only a renewal can tell. */
export type Person = { name: string };

/**
 * The person at this browser, for display and for the choice of page only.
 *
 * The token is read, not verified: every piece of data comes from the gateway, which verifies it.
 */
export async function currentPerson(): Promise<Person | undefined> {
  const jar = await cookies();
  const names = cookieNames(config().secure);
  const access = jar.get(names.access)?.value;
  if (access) return { name: nameIn(access) };
  return jar.get(names.refresh)?.value ? { name: "" } : undefined;
}

function nameIn(token: string): string {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    const name = typeof claims === "object" && claims !== null && "name" in claims ? claims.name : "";
    return typeof name === "string" ? name : "";
  } catch {
    return "";
  }
}
