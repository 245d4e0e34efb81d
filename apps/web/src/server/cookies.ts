// Access and refresh token live in two HttpOnly cookies; no script ever sees a token.

export type Tokens = { accessToken: string; refreshToken: string; expiresIn: number };

const REFRESH_DAYS = 30;

/** Cookie names. Over HTTPS the `__Host-` prefix makes the browser refuse one set by another host or without Secure. */
export function cookieNames(secure: boolean): { access: string; refresh: string } {
  const prefix = secure ? "__Host-" : "";
  return { access: `${prefix}nextai_access`, refresh: `${prefix}nextai_refresh` };
}

/** The tokens in a Cookie header. */
export function readTokens(header: string | null, secure: boolean): { access?: string; refresh?: string } {
  const names = cookieNames(secure);
  const jar = new Map<string, string>();
  for (const pair of (header ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0) jar.set(pair.slice(0, at).trim(), pair.slice(at + 1).trim());
  }
  const access = jar.get(names.access);
  const refresh = jar.get(names.refresh);
  return { ...(access ? { access } : {}), ...(refresh ? { refresh } : {}) };
}

/** Set-Cookie values that begin or renew a session. */
export function sessionCookies(tokens: Tokens, secure: boolean): string[] {
  const names = cookieNames(secure);
  return [
    cookie(names.access, tokens.accessToken, Math.max(1, Math.floor(tokens.expiresIn)), secure),
    cookie(names.refresh, tokens.refreshToken, REFRESH_DAYS * 86_400, secure),
  ];
}

/** Set-Cookie values that end a session. */
export function endedCookies(secure: boolean): string[] {
  const names = cookieNames(secure);
  return [cookie(names.access, "", 0, secure), cookie(names.refresh, "", 0, secure)];
}

function cookie(name: string, value: string, maxAge: number, secure: boolean): string {
  return `${name}=${value}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}
