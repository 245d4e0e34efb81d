import { limits } from "@nextai/contract";
import type { FastifyRequest } from "fastify";
import { Gone } from "./caller.ts";
import { ApiError } from "./errors.ts";
import type { Logger } from "./log.ts";

/** What is asked of another service. */
export interface Question {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Milliseconds until the whole answer is here; what a store has, since the asking service must answer in time itself. */
  readonly limit?: number;
  /** Gives it up: `callerOf(request, reply).gone`. */
  readonly signal?: AbortSignal;
}

/** Another service of the platform, as a request of this one sees it. */
export interface Peer {
  /**
   * Asks once, in the name of the request's user and under its id; the parsed answer, undefined for one without a body.
   *
   * A refusal of the other service is thrown as an ApiError with its status, code and Retry-After. Where the signal aborted, that is
   * `Gone`. A path that is not plain (no leading slash, a dot segment, a backslash) is a TypeError, since it may lead elsewhere. Where it gives no answer in time, cannot
   * be reached, or fails, that is an ApiError 503, which says when to come again.
   */
  ask<T>(request: Pick<FastifyRequest, "id" | "headers">, path: string, question?: Question): Promise<T>;
}

/** The client of a service at a URL (`NAME_URL`). */
export function peerAt(name: string, url: string, log: Pick<Logger, "error">): Peer {
  const base = url.replace(/\/+$/, "");
  return {
    async ask<T>(request: Pick<FastifyRequest, "id" | "headers">, path: string, question: Question = {}): Promise<T> {
      plain(path);
      const { method = "GET", body, limit = limits.storeMs, signal } = question;
      const late = AbortSignal.timeout(limit);
      try {
        const answer = await fetch(base + path, {
          method,
          headers: headersFor(request, body),
          body: body === undefined ? null : JSON.stringify(body),
          redirect: "error",
          signal: signal ? AbortSignal.any([late, signal]) : late,
        });
        const text = await answer.text();
        if (!answer.ok) throw refusal(name, answer, text);
        return (text === "" ? undefined : JSON.parse(text)) as T;
      } catch (err) {
        if (err instanceof ApiError && err.status < 500) throw err;
        if (signal?.aborted) throw new Gone();
        log.error({ err, peer: name, requestId: request.id }, "another service is unavailable");
        throw new ApiError(503, "unavailable", "A part of the platform does not answer. Try again soon.");
      }
    },
  };
}

/** Refuses what `fetch` would read as another path, or another host, than the one that is written there. */
function plain(path: string): void {
  const [bare = ""] = path.split(/[?#]/, 1);
  const dots = bare.split("/").some((segment) => /^(\.|%2e){1,2}$/i.test(segment));
  if (!bare.startsWith("/") || dots || /[\\\t\r\n]/.test(bare))
    throw new TypeError(`not a plain path: ${JSON.stringify(bare)}`);
}

/** Whose request it is, and which: the other service believes them, since only services and the gateway reach it. */
function headersFor({ id, headers }: Pick<FastifyRequest, "id" | "headers">, body: unknown): Record<string, string> {
  const own: Record<string, string> = { accept: "application/json", "x-request-id": id };
  for (const name of ["x-user-id", "traceparent", "tracestate"]) {
    const value = headers[name];
    if (typeof value === "string") own[name] = value;
  }
  if (body !== undefined) own["content-type"] = "application/json";
  return own;
}

/** What the other service refused, in its own words; what is no error body of the platform is a fault of its own. */
function refusal(name: string, answer: Response, text: string): Error {
  const told = parsed(text)?.error;
  if (!told?.code || !told.message) return new Error(`${name} answered ${answer.status} without an error body`);
  const wait = answer.headers.get("retry-after");
  return new ApiError(answer.status, told.code, told.message, wait === null ? {} : { "retry-after": wait });
}

function parsed(text: string): { error?: { code?: string; message?: string } } | undefined {
  try {
    return JSON.parse(text) as { error?: { code?: string; message?: string } };
  } catch {
    return undefined;
  }
}
