import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { codes } from "./codes.ts";

/** A request's body has this long to arrive, in milliseconds. */
export const BODY_TIME = 10_000;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const guarded = new WeakSet<Server>();

/**
 * Answers what Next.js would answer with a bare 500 (a path that cannot be decoded, a method that fetch does not know), and
 * ends requests whose body does not arrive, which it would wait for without end before it runs any handler.
 */
export function guardServer(server: Server, bodyTime = BODY_TIME): void {
  if (guarded.has(server)) return;
  guarded.add(server);
  const emit = server.emit;
  server.emit = function (this: Server, event: string, ...rest: unknown[]): boolean {
    if (event === "request") {
      const [request, response] = rest as [IncomingMessage, ServerResponse];
      if (refused(request, response)) return true;
      limitArrival(request, response, bodyTime);
    }
    return Reflect.apply(emit, this, [event, ...rest]) as boolean;
  } as typeof server.emit;
}

function refused(request: IncomingMessage, response: ServerResponse): boolean {
  if (!METHODS.includes(request.method ?? "")) {
    response.setHeader("Allow", METHODS.join(", "));
    refuse(request, response, 405, "This address does not take that method.");
    return true;
  }
  if (!isPlain(request.url ?? "")) {
    refuse(request, response, 400, "This address cannot be read. Perhaps it was mistyped.");
    return true;
  }
  return false;
}

function isPlain(url: string): boolean {
  const [path = ""] = url.split("?", 1);
  try {
    return path.startsWith("/") && !decodeURIComponent(path).includes("\0") && URL.canParse(url, "http://host");
  } catch {
    return false;
  }
}

function limitArrival(request: IncomingMessage, response: ServerResponse, limit: number): void {
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  if (length === "0" && encoding === undefined) return;
  const timer = setTimeout(() => {
    if (request.complete || response.headersSent) return;
    response.on("error", () => {}); // Next.js may try to answer, too, when it learns that the body broke off
    response.once("finish", () => request.destroy());
    response.setHeader("Connection", "close");
    refuse(request, response, 408, "The request did not arrive in time.");
  }, limit);
  request.once("close", () => clearTimeout(timer));
}

/** The platform's error body; for a person who opened the address, the same as a page. */
function refuse(request: IncomingMessage, response: ServerResponse, status: keyof typeof codes, message: string): void {
  const page = !(request.url ?? "").startsWith("/api/") && (request.headers.accept ?? "").includes("text/html");
  const requestId = String(response.getHeader("X-Request-Id") ?? "");
  response.writeHead(status, {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Content-Type": page ? "text/html; charset=utf-8" : "application/json; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
  });
  const title = "NextAI Agent";
  response.end(
    page
      ? `<!doctype html><html lang="en"><title>${title}</title><h1>${message}</h1><p><a href="/">Back to your memories</a></p></html>`
      : JSON.stringify({ error: { code: codes[status], message, requestId } }),
  );
}
