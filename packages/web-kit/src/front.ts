import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { codeOf, type codes } from "@nextai/contract";

/** What a person reads who opened an address that cannot be read: the application's name, and the way to its first page. */
export type Words = { title: string; back: string };

/** A request's body has this long to arrive, in milliseconds. */
export const BODY_TIME = 10_000;

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const guarded = new WeakSet<Server>();

/**
 * Answers what Next.js would answer with a bare 500 (a path that cannot be decoded, a method that fetch does not know), and
 * ends requests whose body does not arrive, which it would wait for without end before it runs any handler.
 */
export function guardServer(server: Server, words: Words, bodyTime = BODY_TIME): void {
  if (guarded.has(server)) return;
  guarded.add(server);
  const emit = server.emit;
  server.emit = function (this: Server, event: string, ...rest: unknown[]): boolean {
    if (event === "request") {
      const [request, response] = rest as [IncomingMessage, ServerResponse];
      if (refused(request, response, words)) return true;
      limitArrival(request, response, words, bodyTime);
    }
    return Reflect.apply(emit, this, [event, ...rest]) as boolean;
  } as typeof server.emit;
}

function refused(request: IncomingMessage, response: ServerResponse, words: Words): boolean {
  if (!METHODS.includes(request.method ?? "")) {
    response.setHeader("Allow", METHODS.join(", "));
    refuse(request, response, words, 405, "This address does not take that method.");
    return true;
  }
  if (!isPlain(request.url ?? "")) {
    refuse(request, response, words, 400, "This address cannot be read. Perhaps it was mistyped.");
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

function limitArrival(request: IncomingMessage, response: ServerResponse, words: Words, limit: number): void {
  const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
  if (length === "0" && encoding === undefined) return;
  const timer = setTimeout(() => {
    if (request.complete || response.headersSent) return;
    response.on("error", () => {}); // Next.js may try to answer, too, when it learns that the body broke off
    response.once("finish", () => request.destroy());
    response.setHeader("Connection", "close");
    refuse(request, response, words, 408, "The request did not arrive in time.");
  }, limit);
  request.once("close", () => clearTimeout(timer));
}

/** The platform's error body; for a person who opened the address, the same as a page. */
function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  words: Words,
  status: keyof typeof codes,
  message: string,
): void {
  const page = !(request.url ?? "").startsWith("/api/") && (request.headers.accept ?? "").includes("text/html");
  const requestId = String(response.getHeader("X-Request-Id") ?? "");
  response.writeHead(status, {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Content-Type": page ? "text/html; charset=utf-8" : "application/json; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(
    page
      ? `<!doctype html><html lang="en"><title>${words.title}</title><h1>${message}</h1><p><a href="/">${words.back}</a></p></html>`
      : JSON.stringify({ error: { code: codeOf(status), message, requestId } }),
  );
}
