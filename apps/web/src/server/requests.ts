import { randomUUID } from "node:crypto";
import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { log } from "./log.ts";

type Event = { request: IncomingMessage; response: ServerResponse; server: Server };

const underWay = new Set<ServerResponse>();
let ending = false;

/**
 * Gives every request of this process an id and the caller's address, and logs it when it is answered.
 *
 * Node's own `http.server.*` channels are told of a request before Next.js sees it, so this holds for built files,
 * pages and the API alike, without a server of our own in front.
 */
export function watchRequests(): void {
  const started = new WeakMap<IncomingMessage, number>();
  diagnostics.subscribe("http.server.request.start", (message) => {
    const { request, response } = message as Event;
    started.set(request, performance.now());
    underWay.add(response);
    response.once("close", () => underWay.delete(response));
    if (ending) announceEnd(response);
    const id = requestId(request.headers["x-request-id"]);
    request.headers["x-request-id"] = id;
    response.setHeader("X-Request-Id", id);
    request.headers["x-forwarded-for"] = forwardedFor(request);
  });
  diagnostics.subscribe("http.server.response.finish", (message) => {
    const { request, response, server } = message as Event;
    // What was announced too late is idle now: it would hold the process up.
    if (ending) setImmediate(() => server.closeIdleConnections());
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const quiet = path === "/api/health" || path.startsWith("/_next/static/");
    log(quiet ? "debug" : "info", "request", {
      requestId: request.headers["x-request-id"],
      method: request.method,
      path,
      status: response.statusCode,
      ms: Math.round(performance.now() - (started.get(request) ?? performance.now())),
    });
  });
}

/** From now on a connection ends with the answer that is under way on it, which says so to the client. */
export function endConnections(): void {
  ending = true;
  for (const response of underWay) announceEnd(response);
}

function announceEnd(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("Connection", "close");
}

/** The caller's id when it has the form that the gateway and the services take too, else a new one. */
export function requestId(given: string | string[] | null | undefined): string {
  return typeof given === "string" && /^[\w.-]{8,64}$/.test(given) ? given : randomUUID();
}

function forwardedFor(request: IncomingMessage): string {
  const peer = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  const before = request.headers["x-forwarded-for"];
  // Appended, never believed: who may say what stands before it is for the gateway to decide (TRUSTED_PROXIES).
  return before ? `${before}, ${peer}` : peer;
}
