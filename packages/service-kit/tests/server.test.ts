import { connect } from "node:net";
import { Readable } from "node:stream";
import Type from "typebox";
import { afterEach, describe, expect, test } from "vitest";
import { ApiError, type Checks, createServer, type Server, stream } from "../src/index.ts";
import { recordedLog } from "./lines.ts";

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

function exampleServer(checks: Checks = {}, shown: Checks = {}, limit = 6_000) {
  const { log, lines } = recordedLog();
  const server = createServer({
    service: "example-service",
    log,
    checks,
    shown,
    limit,
    bodyLimit: 1_000,
    isUnavailable: (error) => (error as Error).message === "store away",
  });
  const Person = Type.Object({
    email: Type.String({ format: "email" }),
    age: Type.Integer({ minimum: 0 }),
    name: Type.Optional(Type.String({ format: "line" })),
  });
  server.post(
    "/people",
    { schema: { body: Person, response: { 200: Type.Object({ age: Type.Integer() }) } } },
    async (request) => ({ ...request.body, hash: "secret" }),
  );
  server.get("/limited", { schema: { querystring: Type.Object({ limit: Type.Integer() }) } }, async (request) => ({
    limit: request.query.limit,
  }));
  server.get("/refused", async () => {
    throw new ApiError(429, "too_many_attempts", "Wait.", { "retry-after": "7" });
  });
  server.get("/broken", async () => {
    throw new Error("secret detail");
  });
  server.get("/away", async () => {
    throw new Error("store away");
  });
  server.get("/forever", () => new Promise(() => {}));
  servers.push(server);
  return { server, lines };
}

describe("an error", () => {
  test.each([
    ["GET", "/nowhere?token=x", {}, undefined, 404, "not_found"],
    ["GET", "/%zz", {}, undefined, 400, "bad_request"],
    ["GET", "/refused", {}, undefined, 429, "too_many_attempts"],
    ["GET", "/broken", {}, undefined, 500, "internal_error"],
    ["GET", "/away", {}, undefined, 503, "unavailable"],
    ["POST", "/people", { "content-type": "application/json" }, "{bad", 400, "bad_request"],
    ["POST", "/people", { "content-type": "text/plain" }, "text", 415, "unsupported_media_type"],
    [
      "POST",
      "/people",
      { "content-type": "application/json" },
      JSON.stringify("x".repeat(2_000)),
      413,
      "payload_too_large",
    ],
    ["POST", "/people", { "content-type": "application/json" }, "[]", 422, "validation"],
    ["POST", "/people", {}, undefined, 422, "validation"],
    [
      "POST",
      "/people",
      { "content-type": "application/json" },
      '{"__proto__":{"a":1},"age":1,"email":"a@b.org"}',
      400,
      "bad_request",
    ],
  ] as const)("of %s %s is told by its code (%#)", async (method, url, headers, payload, status, code) => {
    const { server } = exampleServer();
    const answer = await server.inject({
      method,
      url,
      headers: { ...headers, "x-request-id": "caller-1" },
      ...(payload === undefined ? {} : { payload }),
    });
    expect(answer.statusCode).toBe(status);
    expect(answer.headers["x-request-id"]).toBe("caller-1");
    const { error } = answer.json() as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code, message: expect.any(String), requestId: "caller-1" });
    expect(answer.body).not.toContain("secret");
  });

  test("of validation names every field", async () => {
    const { server } = exampleServer();
    const answer = await server.inject({ method: "POST", url: "/people", payload: { email: "ann", name: " \n" } });
    expect(answer.json()).toMatchObject({
      error: {
        code: "validation",
        fields: [
          { field: "age", message: "is required" },
          { field: "email", message: "must be an e-mail address" },
          { field: "name", message: "must be text on one line" },
        ],
      },
    });
  });

  test("that was not expected is logged, with the request it belongs to", async () => {
    const { server, lines } = exampleServer();
    await server.inject({ url: "/broken", headers: { "x-request-id": "caller-2" } });
    const logged = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(logged).toContainEqual(
      expect.objectContaining({
        level: "error",
        requestId: "caller-2",
        error: "Error: secret detail",
      }),
    );
  });

  test("of something that is not HTTP has the same body", async () => {
    const { server } = exampleServer();
    const answer = await said(server, "nonsense\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "")).toMatchObject({ error: { code: "bad_request" } });
  });
});

describe("a request that takes too long", () => {
  test("is a 503 that says when to come again, when its answer is late", async () => {
    const { server, lines } = exampleServer({}, {}, 100);
    const answer = await server.inject({ url: "/forever" });
    expect([answer.statusCode, answer.json()]).toMatchObject([503, { error: { code: "unavailable" } }]);
    expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    expect(lines.join("")).toContain("the answer took too long");
  });

  test("is a 408 that ends the connection, when its body does not arrive", async () => {
    const { server } = exampleServer({}, {}, 100);
    const head = "POST /people HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    const answer = await said(server, head);
    expect(answer).toMatch(/^HTTP\/1.1 408 [\s\S]*connection: close[\s\S]*"request_timeout"/i);
  });

  test("has less time than the gateway waits, and more than a store may take", () => {
    const { server } = exampleServer({}, {}, undefined);
    const { handlerTimeout } = server.initialConfig as { handlerTimeout: number };
    expect(handlerTimeout).toBeLessThan(8_000);
    expect(handlerTimeout).toBeGreaterThan(4_000);
  });
});

describe("a stream", () => {
  test.each([
    ["outlives the limit of an answer", stream, "part ".repeat(10)],
    ["is what the route must say", {}, undefined],
  ])("%s", async (_what, options, whole) => {
    const { server } = exampleServer({}, {}, 100);
    server.get("/parts", options, (_request, reply) => {
      const parts = async function* () {
        for (let part = 0; part < 10; part++) {
          yield "part ";
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      };
      return reply.send(Readable.from(parts()));
    });
    const url = await server.listen({ port: 0, host: "127.0.0.1" });
    const said = await fetch(`${url}/parts`)
      .then((answer) => answer.text())
      .catch(() => undefined);
    expect(said).toBe(whole);
  });
});

/** What a server says to these bytes until it ends the connection. */
async function said(server: Server, bytes: string): Promise<string> {
  await server.listen({ port: 0, host: "127.0.0.1" });
  const { port } = server.server.address() as { port: number };
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (data) => (text += data));
    socket.on("end", () => resolve(text)).on("error", reject);
  });
}

test("a body is taken as it is, a query is converted", async () => {
  const { server } = exampleServer();
  const body = await server.inject({ method: "POST", url: "/people", payload: { email: "a@b.org", age: "1" } });
  expect(body.json()).toMatchObject({ error: { fields: [{ field: "age", message: "must be integer" }] } });
  const query = await server.inject({ url: "/limited?limit=5" });
  expect(query.json()).toEqual({ limit: 5 });
});

test("a DELETE without a body may name a type", async () => {
  const { server } = exampleServer();
  server.delete("/people", async (_request, reply) => reply.code(204).send());
  const headers = { "content-type": "application/json" };
  expect((await server.inject({ method: "DELETE", url: "/people", headers })).statusCode).toBe(204);
  const bad = await server.inject({ method: "DELETE", url: "/people", headers, payload: "{bad" });
  expect(bad.statusCode).toBe(400);
});

test("an answer has only what its schema names", async () => {
  const { server } = exampleServer();
  const answer = await server.inject({ method: "POST", url: "/people", payload: { email: "a@b.org", age: 1 } });
  expect(answer.json()).toEqual({ age: 1 });
});

test("a request id is kept in the gateway's form, and another is replaced", async () => {
  const { server } = exampleServer();
  const answered = async (id: string) =>
    (await server.inject({ url: "/health", headers: { "x-request-id": id } })).headers["x-request-id"];
  expect(await answered("Caller-1")).toBe("Caller-1");
  expect(await answered("with a space")).toMatch(/^[\da-f-]{36}$/);
});

test("a request is one line, without its query", async () => {
  const { server, lines } = exampleServer();
  await server.inject({ url: "/limited?limit=5&token=hidden", headers: { "x-request-id": "caller-3" } });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "info",
    msg: "request",
    method: "GET",
    path: "/limited",
    status: 200,
    requestId: "caller-3",
  });
  expect(lines[0]).not.toContain("hidden");
});

describe("health", () => {
  test("asks no store", async () => {
    const { server } = exampleServer({ postgres: () => Promise.reject(new Error("away")) });
    const answer = await server.inject({ url: "/health" });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ status: "ok", service: "example-service", version: "dev" });
  });

  test("is ready when every store answers", async () => {
    const { server } = exampleServer({ postgres: async () => {}, redis: async () => {} });
    const answer = await server.inject({ url: "/health/ready" });
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { status: "ok", checks: { postgres: "ok", redis: "ok" } },
    ]);
  });

  test("is ready without a store that requests get along without, and shows that it is away", async () => {
    const away = () => Promise.reject(new Error("away"));
    const { server } = exampleServer({ postgres: async () => {} }, { redis: away });
    const answer = await server.inject({ url: "/health/ready" });
    expect([answer.statusCode, answer.json()]).toEqual([
      200,
      { status: "ok", checks: { postgres: "ok", redis: "error: failed (the log says why)" } },
    ]);
  });

  test("is not ready when a store fails or is silent, and says which within about two seconds", async () => {
    const { server } = exampleServer({
      good: async () => {},
      failing: () => Promise.reject(new Error("params: secret", { cause: new Error("connection refused") })),
      silent: () => new Promise(() => {}),
    });
    const begun = performance.now();
    const answer = await server.inject({ url: "/health/ready" });
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toEqual({
      status: "unavailable",
      checks: { good: "ok", failing: "error: failed (the log says why)", silent: "error: no answer within 2 s" },
    });
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
