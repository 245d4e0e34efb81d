import { randomBytes } from "node:crypto";
import { securityHeaders } from "@nextai/web-kit/security";
import { type NextRequest, NextResponse } from "next/server";
import { config as settings } from "./server/config.ts";

/** Runs before every page and API route: the nonce of this answer, and its security headers. */
export function proxy(request: NextRequest): NextResponse {
  const nonce = randomBytes(16).toString("base64");
  const headers = securityHeaders(nonce, {
    secure: settings().secure,
    development: process.env.NODE_ENV === "development",
  });
  // Next.js takes the nonce for its own scripts from the policy in the request's headers.
  const inner = new Headers(request.headers);
  inner.set("Content-Security-Policy", headers["Content-Security-Policy"] ?? "");
  const response = NextResponse.next({ request: { headers: inner } });
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

export const config = { matcher: ["/((?!_next/static/).*)"] };
