import Type from "typebox";
import { expect, test } from "vitest";
import vectors from "../../contract/vectors.json" with { type: "json" };
import { ApiError, type Check, createServer } from "../src/index.ts";
import { recordedLog } from "./lines.ts";

test.each(Object.entries(vectors.retryAfter))("a %s says when to come again", async (status, seconds) => {
  const { log } = recordedLog();
  const server = createServer({ service: "some-service", log, checks: {}, isUnavailable: () => true });
  server.get("/own", () => Promise.reject(new ApiError(Number(status), "busy", "Come again.")));
  server.get("/store", () => Promise.reject(new Error("the store is away")));
  for (const url of ["/own", "/store"]) {
    const answer = await server.inject({ url });
    expect([answer.statusCode, answer.headers["retry-after"]]).toEqual([Number(status), seconds]);
  }
});

test("a line has one of the levels", () => {
  const { log, lines } = recordedLog();
  for (const level of vectors.log.levels) log[level as "info"]("said");
  expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(vectors.log.levels);
});

test.each(vectors.log.requests)("a request is logged as in every stack: %j", async ({ status, health, level }) => {
  const { log, lines } = recordedLog();
  const server = createServer({ service: "some-service", log, checks: {} });
  const path = health ? "/health/x" : "/a";
  server.get(path, (_request, reply) => reply.code(status).send());
  await server.inject({ url: path });
  const line = JSON.parse(lines.at(-1) ?? "") as Record<string, unknown>;
  expect(line).toMatchObject({ level, status, path });
  expect(Object.keys(line)).toEqual(expect.arrayContaining([...vectors.log.always, ...vectors.log.request]));
});

const does: Readonly<Record<string, Check>> = {
  answers: async () => {},
  fails: () => Promise.reject(new Error(vectors.health.failure)),
  "is silent": () => new Promise(() => {}),
};

test("liveness is answered as in every stack", async () => {
  const { log } = recordedLog();
  const server = createServer({ service: "some-service", log, checks: {} });
  expect((await server.inject({ url: "/health" })).json()).toEqual(vectors.health.live);
});

test.each(vectors.health.ready)("readiness is answered as in every stack: %j", async ({ stores, status, answer }) => {
  const { log, lines } = recordedLog();
  const those = (needed: boolean) => {
    const found = Object.entries(stores).filter(([, store]) => store.needed === needed);
    return Object.fromEntries(found.map(([name, store]) => [name, does[store.does] as Check]));
  };
  const server = createServer({ service: "some-service", log, checks: those(true), shown: those(false) });
  const said = await server.inject({ url: "/health/ready" });
  expect([said.statusCode, said.json()]).toEqual([status, answer]);
  // What a store said of itself is in the log alone.
  const fails = Object.values(stores).some((store) => store.does === "fails");
  expect(lines.join("").includes(vectors.health.failure)).toBe(fails);
});

async function things(vector: { method: string; path: string; type?: string; hex?: string }) {
  const { log } = recordedLog();
  const server = createServer({ service: "some-service", log, checks: {} });
  server.get("/things", async () => []);
  server.post("/things", { schema: { body: Type.Object({ name: Type.String() }) } }, async () => ({}));
  return server.inject({
    method: vector.method as "GET",
    url: vector.path,
    ...(vector.hex ? { payload: Buffer.from(vector.hex, "hex") } : {}),
    ...(vector.type ? { headers: { "content-type": vector.type } } : {}),
  });
}

test.each(vectors.served)("what can be served is served as in every stack: %j", async (vector) => {
  const answer = await things(vector);
  expect([answer.statusCode, answer.body]).toEqual([vector.status, vector.body]);
  expect(answer.headers["content-type"]).toMatch(/^application\/json/);
});

test.each(vectors.refusals)("what cannot be served is refused as in every stack: %j", async (vector) => {
  const answer = await things(vector);
  const { error } = answer.json() as { error: { code: string; message: string } };
  expect([answer.statusCode, error.code]).toEqual([vector.status, vector.code]);
  if (vector.message) expect(error.message).toBe(vector.message);
  expect(answer.headers.allow).toBe(vector.allow);
  expect(answer.headers["cache-control"]).toBe("no-store");
});
