const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Whether a request may change state: it comes from a page of this very host (RFC 6454 Origin).
 *
 * Every browser sends Origin with a state-changing request; one without it is not one of our pages. SameSite=Lax cookies
 * keep other sites out already; this also keeps out sibling hosts of the same site, and forged sign-ins.
 */
export function sameOrigin(request: Request): boolean {
  if (SAFE.has(request.method)) return true;
  const origin = request.headers.get("origin");
  const host = request.headers.get("host");
  if (!origin || !host || !URL.canParse(origin)) return false;
  // The scheme is not compared: TLS may end in front of this server.
  return new URL(origin).host === host.toLowerCase();
}
