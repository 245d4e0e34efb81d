import diagnostics from "node:diagnostics_channel";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { requestId } from "@nextai/contract";
import { guardServer, type Words } from "./front.ts";
import type { Log } from "./log.ts";

type Event = { request: IncomingMessage; response: ServerResponse; server: Server };

const underWay = new Set<ServerResponse>();
const servers = new Set<Server>();
let ending = false;

/**
 * Gives every request of this process an id and the caller's address, and logs it when it is answered.
 *
 * Node's own `http.server.*` channels are told of a request before Next.js sees it, so this holds for built files,
 * pages and the API alike, without a server of our own in front.
 */
export function watchRequests(log: Log, words: Words): void {
  const started = new WeakMap<IncomingMessage, number>();
  diagnostics.subscribe("http.server.request.start", (message) => {
    const { request, response, server } = message as Event;
    servers.add(server);
    guardServer(server, words);
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
    const { request, response } = message as Event;
    const path = (request.url ?? "").split("?", 1)[0] ?? "";
    const quiet = path === "/api/health" || path.startsWith("/_next/static/");
    log(quiet ? "debug" : response.statusCode >= 500 ? "error" : "info", "request", {
      requestId: request.headers["x-request-id"],
      method: request.method,
      path,
      status: response.statusCode,
      durationMs: Math.round(performance.now() - (started.get(request) ?? performance.now())),
    });
  });
}

/**
 * Serves on while each answer says `Connection: close`, until no connection is left or `limit` milliseconds are over; then
 * takes no more connections, and resolves when what is under way is done.
 *
 * A connection that is closed while it is idle may be one on which a request is just coming: that request would be lost.
 */
export async function endConnections(limit: number): Promise<void> {
  ending = true;
  for (const response of underWay) announceEnd(response);
  const over = performance.now() + limit;
  while (performance.now() < over && (await openConnections()) > 0) await wait(20);
  await Promise.all([...servers].map(closed));
}

async function openConnections(): Promise<number> {
  const counts = [...servers].map((server) => promisify(server.getConnections.bind(server))());
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** Node.js closes idle connections with the server; what was announced too late is idle later, and would hold the process up. */
async function closed(server: Server): Promise<void> {
  const end = promisify(server.close.bind(server))();
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await end.finally(() => clearInterval(sweep));
}

function announceEnd(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader("Connection", "close");
}

function forwardedFor(request: IncomingMessage): string {
  const peer = (request.socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  const before = request.headers["x-forwarded-for"];
  // Appended, never believed: who may say what stands before it is for the gateway to decide (TRUSTED_PROXIES).
  return before ? `${before}, ${peer}` : peer;
}
