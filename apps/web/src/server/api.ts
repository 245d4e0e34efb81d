import { codes, errorResponse } from "@nextai/web-kit/errors";
import { LONGEST_BODY, readBody } from "./body.ts";
import type { Config } from "./config.ts";
import { endedCookies, readTokens, sessionCookies, type Tokens } from "./cookies.ts";
import { callGateway, GatewayError, UPSTREAM_TIMEOUT } from "./gateway.ts";
import { sameOrigin } from "./origin.ts";
import { downstreamHeaders, traceHeaders, upstreamHeaders } from "./passthrough.ts";
import { RefreshUnavailable, refresh } from "./refresh.ts";
import { withCookies } from "./session.ts";

/** What went to the gateway and came back; `tokens` when the session was renewed, null when it turned out to be over. */
type Exchange = { answer: Response; tokens?: Tokens | null };

/** Passes a request under /api on to the gateway as the signed-in person, renewing the session once where needed. */
export async function handleApi(config: Config, request: Request, timeout?: number): Promise<Response> {
  if (!sameOrigin(request))
    return errorResponse(request, 403, "foreign_origin", "This request came from another site.");
  const body = await readBody(request, LONGEST_BODY);
  if (body === "too long") return errorResponse(request, 413, codes[413], "The request is larger than 1 MiB.");
  try {
    const { answer, tokens } = await exchange(config, request, body, timeout);
    const response = new Response(answer.body, { status: answer.status, headers: downstreamHeaders(answer) });
    if (tokens === undefined) return response;
    return withCookies(response, tokens ? sessionCookies(tokens, config.secure) : endedCookies(config.secure));
  } catch (error) {
    return failure(request, error);
  }
}

async function exchange(config: Config, request: Request, body: ArrayBuffer, timeout?: number): Promise<Exchange> {
  const signal = AbortSignal.timeout(timeout ?? UPSTREAM_TIMEOUT); // of all that is asked for this one answer
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
  if (error instanceof GatewayError) return errorResponse(request, error.status, error.code, error.message);
  if (error instanceof RefreshUnavailable) {
    const response = errorResponse(request, error.status, "session_not_renewed", error.message);
    if (error.retryAfter) response.headers.set("Retry-After", error.retryAfter);
    return response;
  }
  throw error;
}
