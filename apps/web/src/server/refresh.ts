import { createHash } from "node:crypto";
import type { Config } from "./config.ts";
import type { Tokens } from "./cookies.ts";
import { callGateway } from "./gateway.ts";

/** How long the outcome of a refresh answers for its old token, in milliseconds: as long as user-service's leeway. */
const REMEMBERED = 30_000;

/** The newest tokens of a session, or undefined where the session is over. */
type Outcome = Tokens | undefined;

// On globalThis, since Next.js may load this module once per bundle, and a refresh token is to be used once per process.
const shared = globalThis as typeof globalThis & { nextaiRefreshes?: Map<string, Promise<Outcome>> };
shared.nextaiRefreshes ??= new Map();
const refreshes = shared.nextaiRefreshes;

/**
 * Exchanges a refresh token for new tokens; undefined when the gateway says that the session is over.
 *
 * Requests that carry the same token, at the same time or from before the browser got the new cookies, share one
 * exchange. Those that reach other pods have exchanges of their own: user-service gives a few within its leeway, and
 * each is good for the session. A later one revokes the whole session. Throws `GatewayError`.
 */
export function refresh(config: Config, token: string, headers: Headers): Promise<Outcome> {
  const key = createHash("sha256").update(token).digest("base64");
  const running = refreshes.get(key);
  if (running) return running;
  const exchange = requestTokens(config, token, headers);
  refreshes.set(key, exchange);
  exchange.then(
    () => setTimeout(() => refreshes.delete(key), REMEMBERED).unref(),
    () => refreshes.delete(key),
  );
  return exchange;
}

/** The refresh token that is good now, for one that a request carries. */
export async function currentToken(token: string): Promise<string> {
  const key = createHash("sha256").update(token).digest("base64");
  const outcome = await refreshes.get(key)?.catch(() => undefined);
  return outcome ? currentToken(outcome.refreshToken) : token;
}

async function requestTokens(config: Config, token: string, headers: Headers): Promise<Outcome> {
  const answer = await callGateway(`${config.gateway}/api/auth/refresh`, {
    method: "POST",
    headers: new Headers({ ...Object.fromEntries(headers), "content-type": "application/json" }),
    body: JSON.stringify({ refreshToken: token }),
  });
  if (answer.status === 200) return (await answer.json()) as Tokens;
  await answer.body?.cancel();
  if (answer.status === 400 || answer.status === 401 || answer.status === 422) return undefined;
  // Anything else says nothing about the session: it must not sign anybody out.
  throw new RefreshUnavailable(answer.status, answer.headers.get("retry-after"));
}

/** The gateway answered a refresh with neither tokens nor a refusal. */
export class RefreshUnavailable extends Error {
  readonly status: number;
  readonly retryAfter: string | null;

  constructor(status: number, retryAfter: string | null) {
    super("The session could not be renewed right now.");
    this.status = status === 429 || status === 503 || status === 504 ? status : 502;
    this.retryAfter = retryAfter;
  }
}
