import { errorResponse } from "@nextai/web-kit/errors";
import { limits } from "@nextai/web-kit/limits";
import { isBelow, untilBegun, whileItSpeaks } from "@nextai/web-kit/stream";
import { LONGEST_BODY, readBody } from "./body.ts";
import type { Config } from "./config.ts";
import { endedCookies, readTokens, sessionCookies, type Tokens } from "./cookies.ts";
import { callGateway, GatewayError } from "./gateway.ts";
import { sameOrigin } from "./origin.ts";
import { downstreamHeaders, traceHeaders, upstreamHeaders } from "./passthrough.ts";
import { RefreshUnavailable, refresh } from "./refresh.ts";
import { withCookies } from "./session.ts";

/** What went to the gateway and came back; `tokens` when the session was renewed, null when it turned out to be over. */
type Exchange = { answer: Response; tokens?: Tokens | null };

/** How long a page waits, in milliseconds: for a whole answer, and between two parts of one that is a stream. */
type Waits = { whole: number; idle: number };
const WAITS = { whole: limits.pageMs, idle: limits.pageIdleMs };

/** Passes a request under /api on to the gateway as the signed-in person, renewing the session once where needed. */
export async function handleApi(config: Config, request: Request, waits: Waits = WAITS): Promise<Response> {
  if (!sameOrigin(request))
    return errorResponse(request, 403, "This request came from another site.", "foreign_origin");
  const body = await readBody(request, LONGEST_BODY);
  if (body === "too long") return errorResponse(request, 413, "The request is larger than 1 MiB.");
  try {
    const streams = isBelow(new URL(request.url).pathname, config.streams);
    // Of all that is asked for this one answer.
    const { signal, begun } = streams
      ? untilBegun(waits.whole)
      : { signal: AbortSignal.timeout(waits.whole), begun: () => {} };
    const wanted = AbortSignal.any([signal, request.signal]);
    const { answer, tokens } = await exchange(config, request, body, wanted).finally(begun);
    const parts = streams && answer.body ? whileItSpeaks(answer.body, waits.idle) : answer.body;
    const response = new Response(parts, { status: answer.status, headers: downstreamHeaders(answer) });
    if (tokens !== undefined)
      withCookies(response, tokens ? sessionCookies(tokens, config.secure) : endedCookies(config.secure));
    if (streams) response.headers.append("cache-control", "no-transform"); // compressed, its parts would be kept back
    return response;
  } catch (error) {
    return failure(request, error);
  }
}

async function exchange(config: Config, request: Request, body: ArrayBuffer, signal: AbortSignal): Promise<Exchange> {
  const url = new URL(request.url);
  const target = config.gateway + url.pathname + url.search;
  const held = readTokens(request.headers.get("cookie"), config.secure);
  const send = (token: string | undefined): Promise<Response> => {
    const headers = upstreamHeaders(request);
    if (token) headers.set("authorization", `Bearer ${token}`);
    return callGateway(target, {
      method: request.method,
      headers,
      body: body.byteLength > 0 ? body : undefined,
      signal,
    });
  };
  // The refresh token is spent: the browser must get the new one though the gateway then fails.
  const sendRenewed = async (tokens: Tokens): Promise<Exchange> => {
    const answer = await send(tokens.accessToken).catch((error: unknown) => failure(request, error));
    return { answer, tokens };
  };
  // The cookie of an expired access token is gone: no need to be told 401 first.
  const renewed = held.refresh && !held.access ? await refresh(config, held.refresh, traceHeaders(request)) : undefined;
  if (renewed) return sendRenewed(renewed);

  const answer = await send(held.access);
  if (answer.status !== 401 || url.pathname.startsWith("/api/auth/")) return { answer };
  if (!held.refresh) return held.access ? { answer, tokens: null } : { answer };
  const tokens = held.access ? await refresh(config, held.refresh, traceHeaders(request)) : undefined;
  if (!tokens) return { answer, tokens: null };
  await answer.body?.cancel();
  return sendRenewed(tokens);
}

/** What the browser is told where the gateway gave no answer; any other error is thrown on. */
function failure(request: Request, error: unknown): Response {
  if (error instanceof GatewayError) {
    // It was given up because the reader has left, which is no failure of the gateway; nobody gets this answer.
    if (request.signal.aborted) return new Response(null, { status: 499 });
    return errorResponse(request, error.status, error.message, error.code);
  }
  if (error instanceof RefreshUnavailable) {
    const response = errorResponse(request, error.status, error.message, "session_not_renewed");
    if (error.retryAfter) response.headers.set("Retry-After", error.retryAfter);
    return response;
  }
  throw error;
}
