// Which headers go through the proxy, and which stay on their side.

// RFC 9110 section 7.6.1: they speak of one connection only.
const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

// The browser's cookies and origin end here; who the user is, is said by Authorization alone.
const NOT_UPSTREAM = new Set([
  ...HOP_BY_HOP,
  "accept-encoding",
  "authorization",
  "content-length",
  "cookie",
  "expect",
  "forwarded",
  "host",
  "origin",
  "referer",
]);
const NOT_UPSTREAM_PREFIXES = [
  "x-user-",
  "x-middleware-",
  "x-nextjs-",
  "x-matched-",
  "x-nonce",
  "next-",
  "rsc",
  "sec-",
];

// fetch has undone the encoding; cookies and cross-origin permissions of this host are this server's own to give.
const NOT_DOWNSTREAM = new Set([...HOP_BY_HOP, "content-encoding", "content-length", "set-cookie"]);
const NOT_DOWNSTREAM_PREFIXES = ["access-control-"];

/** The request's headers that the gateway gets. */
export function upstreamHeaders(request: Request): Headers {
  return filtered(request.headers, NOT_UPSTREAM, [...NOT_UPSTREAM_PREFIXES, "content-security-policy"]);
}

/** The answer's headers that the browser gets; what the API says is kept by no cache unless it says so itself. */
export function downstreamHeaders(answer: Response): Headers {
  const headers = filtered(answer.headers, NOT_DOWNSTREAM, NOT_DOWNSTREAM_PREFIXES);
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store");
  return headers;
}

/** What ties a call of our own to the request it serves: its id, its caller. */
export function traceHeaders(request: Request): Headers {
  const headers = new Headers();
  for (const name of ["x-request-id", "x-forwarded-for", "user-agent", "traceparent", "tracestate"]) {
    const value = request.headers.get(name);
    if (value) headers.set(name, value);
  }
  return headers;
}

function filtered(from: Headers, names: ReadonlySet<string>, prefixes: readonly string[]): Headers {
  const listed = (from.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase());
  const headers = new Headers();
  for (const [name, value] of from) {
    if (names.has(name) || listed.includes(name) || prefixes.some((prefix) => name.startsWith(prefix))) continue;
    headers.append(name, value);
  }
  return headers;
}
