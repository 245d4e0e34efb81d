import { randomUUID } from "node:crypto";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import {
  codeOf,
  codes,
  type ErrorBody,
  type FieldProblem,
  isBlank,
  limits,
  requestId,
  retryAfter,
} from "@nextai/contract";
import Ajv, { type ErrorObject, type Options } from "ajv";
import addFormats from "ajv-formats";
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from "fastify";
import findMyWay, { type HTTPMethod } from "find-my-way";
import { ApiError } from "./errors.ts";
import { type Checks, readiness } from "./health.ts";
import type { Logger } from "./log.ts";

/** A Fastify server whose handlers know the types of their schemas. */
export type Server = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

declare module "fastify" {
  interface FastifyInstance {
    /** From now on each answer ends its connection. */
    endConnections(): void;
  }
}

export interface ServerOptions {
  readonly service: string;
  readonly log: Logger;
  /** The stores that no request can do without: they must answer before the service takes requests. */
  readonly checks: Checks;
  /** Stores that readiness shows, and that requests get along without. */
  readonly shown?: Checks;
  /** Says of an unexpected error that a store is away, which is a 503 and not a defect. */
  readonly isUnavailable?: (error: unknown) => boolean;
  /** Largest request body in bytes. */
  readonly bodyLimit?: number;
  /** Milliseconds from a request's headers to its answer: less than the gateway waits (8 s), more than a store may take (4 s). */
  readonly limit?: number;
}

/**
 * Options of a route whose answer goes on for as long as its handler makes it: `server.get(url, stream, handler)`.
 *
 * Fastify takes no route without a limit on a server that has one: this is the longest that a timer can be, 24 days. The gateway
 * passes the answer on where the route says `stream: true`.
 */
export const stream = { handlerTimeout: 2 ** 31 - 1 } as const;

/** A server with request ids, error bodies, a body limit, request logs, /health and /health/ready; routes are added by the service. */
export function createServer(options: ServerOptions): Server {
  const server = Fastify({
    loggerInstance: options.log as FastifyBaseLogger,
    logController: new Fastify.LogController({ disableRequestLogging: true, requestIdLogLabel: "requestId" }),
    genReqId: (request) => requestId(request.headers["x-request-id"]),
    bodyLimit: options.bodyLimit ?? limits.bodyBytes,
    requestTimeout: 30_000,
    handlerTimeout: options.limit ?? limits.requestMs,
    // Longer than the gateway keeps idle connections (30 s), so that it never sends a request on one being closed.
    keepAliveTimeout: 75_000,
    routerOptions: { ignoreTrailingSlash: true },
    // A request that comes over an open connection while the server closes is answered as ever: the stores close last.
    return503OnClosing: false,
    frameworkErrors: (_error, request, reply) =>
      refusePath(request as FastifyRequest, reply as unknown as FastifyReply),
    clientErrorHandler(error, socket) {
      // Not HTTP at all, or not in time: there is no request to give an id to, and no reply object.
      if (error.code === "ECONNRESET" || socket.destroyed) return;
      const [status, code, message] =
        error.code === "ERR_HTTP_REQUEST_TIMEOUT"
          ? ["408 Request Timeout", codes[408], "The request did not arrive in time."]
          : ["400 Bad Request", codes[400], "This is not a valid HTTP request."];
      const body = JSON.stringify({ error: { code, message, requestId: randomUUID() } });
      socket.end(
        `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  takeJson(server);
  validateStrictly(server);
  identifyRequests(server);
  answerErrors(server, options.isUnavailable ?? (() => false));
  logRequests(server);
  closeConnectionsOnShutdown(server);
  addHealthRoutes(server, options.service, options.checks, options.shown ?? {});
  return server;
}

function identifyRequests(server: Server): void {
  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    reply.header("cache-control", "no-store"); // unless the route says otherwise
  });
}

/** Bodies are taken as they are: "1" is no number there. Queries, parameters and headers are text, and are converted. */
function validateStrictly(server: Server): void {
  const strict = schemas({ coerceTypes: false });
  const converting = schemas({ coerceTypes: "array" });
  server.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === "body" ? strict : converting).compile(schema as object),
  );
}

/** All problems of a request at once. Every format below is checked in linear time, whatever the length of the text. */
function schemas(options: Options): Ajv.default {
  const ajv = new Ajv.default({ ...options, allErrors: true, useDefaults: true });
  addFormats.default(ajv, ["email", "uuid", "date-time", "uri"]);
  ajv.addFormat("line", (text: string) => !isBlank(text) && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text));
  return ajv;
}

/** What a text must be, by the format that its schema names. */
const formats: Readonly<Record<string, string>> = {
  email: "must be an e-mail address",
  uuid: "must be a UUID",
  "date-time": "must be a date with time",
  uri: "must be a URL",
  line: "must be text on one line",
};

function answerErrors(server: Server, isUnavailable: (error: unknown) => boolean): void {
  const allowed = methodsOf(server);
  const notFound = (request: FastifyRequest, reply: FastifyReply) => {
    const methods = allowed(request.url);
    if (methods.length === 0) {
      return reply.code(404).send(body(request, codes[404], "There is nothing at this address."));
    }
    return reply
      .code(405)
      .header("allow", methods.join(", "))
      .send(body(request, codes[405], "This address does not take that method."));
  };
  server.setNotFoundHandler(notFound);

  server.setErrorHandler<FastifyError | ApiError | Error>((error, request, reply) => {
    if (error instanceof ApiError) {
      return reply
        .code(error.status)
        .headers({ ...retryAfter(error.status), ...error.headers })
        .send(body(request, error.code, error.message));
    }
    if ("validation" in error && error.validation) {
      const fields = (error.validation as ErrorObject[]).map(fieldProblem);
      const message = fields.map(({ field, message }) => `${field} ${message}`).join("; ");
      return reply.code(422).send(body(request, codes[422], message, fields));
    }
    const overdue = "code" in error && error.code === "FST_ERR_HANDLER_TIMEOUT";
    if (overdue && isArriving(request)) {
      const late = body(request, codes[408], "The request did not arrive in time.");
      return reply.code(408).header("connection", "close").send(late);
    }
    if (overdue || isUnavailable(error)) {
      request.log.error({ err: error }, overdue ? "the answer took too long" : "a store is unavailable");
      return reply
        .code(503)
        .headers(retryAfter(503))
        .send(body(request, codes[503], "The service is not available now. Try again soon."));
    }
    // Fastify reads the body first: what is wrong with one that no route takes is of no interest.
    if (request.is404) return notFound(request, reply);
    const status = "statusCode" in error ? (error.statusCode ?? 500) : 500;
    if (status < 500) {
      return reply
        .code(status)
        .send(body(request, codeOf(status), refusals[status] ?? "The request cannot be understood."));
    }
    request.log.error({ err: error }, "the request failed");
    return reply.code(500).send(body(request, codes[500], "Something went wrong on our side."));
  });
}

/** The methods that an address takes; none where there is nothing. Fastify itself finds a route by its method alone. */
function methodsOf(server: Server): (url: string) => string[] {
  const router = findMyWay({ ignoreTrailingSlash: true });
  const known = new Set<HTTPMethod>();
  server.addHook("onRoute", ({ method, url }) => {
    for (const one of [method].flat() as HTTPMethod[]) {
      if (!router.hasRoute(one, url)) router.on(one, url, () => {});
      known.add(one);
    }
  });
  return (url) => [...known].filter((method) => router.find(method, url.split("?", 1)[0] ?? "") !== null).sort();
}

/** JSON in UTF-8, and nothing else: what cannot be decoded is refused, and not stored as replacement characters. */
function takeJson(server: Server): void {
  const parse = server.getDefaultJsonParser("error", "error");
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  server.removeContentTypeParser(["text/plain", "application/json"]); // text would pass for a body, and be found to be no object
  server.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, given, done) => {
    // Some clients name the type in every request.
    if (request.method === "DELETE" && given.length === 0) {
      done(null, undefined);
      return;
    }
    let text: string;
    try {
      text = utf8.decode(given as Buffer);
    } catch {
      done(Object.assign(new Error("the body is not UTF-8"), { statusCode: 400 }), undefined);
      return;
    }
    parse(request, text, done);
  });
}

/** Whether a request has a body that is not here yet. */
function isArriving({ headers, body }: FastifyRequest): boolean {
  return (headers["content-length"] ?? headers["transfer-encoding"]) !== undefined && body === undefined;
}

const refusals: Readonly<Record<number, string>> = {
  400: "The body is not valid JSON.",
  413: "The body is too large.",
  415: "The body must be application/json.",
};

/** A path that cannot be decoded is refused before any route, any hook and the error handler. */
function refusePath(request: FastifyRequest, reply: FastifyReply): void {
  reply
    .code(400)
    .header("x-request-id", request.id)
    .send(body(request, codes[400], "The path is not valid."));
}

function body(request: FastifyRequest, code: string, message: string, fields?: readonly FieldProblem[]): ErrorBody {
  return { error: { code, message, requestId: request.id, ...(fields ? { fields } : {}) } };
}

function fieldProblem(error: ErrorObject): FieldProblem {
  const inside = error.instancePath.slice(1).replaceAll("/", ".");
  const missing = error.keyword === "required" ? String(error.params.missingProperty) : "";
  const field = [inside, missing].filter((part) => part !== "").join(".") || "body";
  if (missing) return { field, message: "is required" };
  const format = error.keyword === "format" ? formats[String(error.params.format)] : undefined;
  return { field, message: format ?? (error.message ?? "is invalid").replace("NOT", "not") };
}

/** One line a request, without its query, which may hold what a person typed; probes at debug level, failures as errors. */
function logRequests(server: Server): void {
  server.addHook("onResponse", async (request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const facts = {
      method: request.method,
      path,
      status: reply.statusCode,
      durationMs: Math.round(reply.elapsedTime * 10) / 10,
    };
    request.log[path.startsWith("/health") ? "debug" : reply.statusCode >= 500 ? "error" : "info"](facts, "request");
  });
}

/** From `endConnections` on, an answer also ends its connection; a kept-alive one would hold the process up. */
function closeConnectionsOnShutdown(server: Server): void {
  let ending = false;
  const end = (): void => {
    ending = true;
  };
  server.decorate("endConnections", end);
  server.addHook("preClose", async () => end());
  server.addHook("onSend", async (_request, reply, payload) => {
    if (ending) reply.header("connection", "close");
    return payload;
  });
}

function addHealthRoutes(server: Server, service: string, checks: Checks, shown: Checks): void {
  const version = process.env.APP_VERSION || "dev";
  server.get("/health", async () => ({ status: "ok", service, version }));
  server.get("/health/ready", async (request, reply) => {
    const answer = await readiness(request.log, checks, shown);
    return reply.code(answer.status === "ok" ? 200 : 503).send(answer);
  });
}
