import { Agent, get } from "node:http";
import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { freePort, type Program, runNode } from "../src/testing.ts";

const service = fileURLToPath(new URL("testdata/example-service.ts", import.meta.url));
const healthcheck = fileURLToPath(new URL("testdata/healthcheck.ts", import.meta.url));
const running: Program[] = [];

afterEach(async () => {
  await Promise.all(
    running.splice(0).map(({ child, ended }) => {
      child.kill("SIGKILL");
      return ended;
    }),
  );
});

async function start(): Promise<{ program: Program; port: number }> {
  const port = await freePort();
  const program = runNode([service], { KEY: "k", PORT: String(port) });
  running.push(program);
  await program.waitFor(/listening on/);
  return { program, port };
}

function fetchKeptAlive(port: number, path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, agent: new Agent({ keepAlive: true }) }, (response) => {
      let body = "";
      response.on("data", (data) => (body += data));
      response.on("end", () => resolve({ status: response.statusCode, body }));
    }).on("error", reject);
  });
}

test("a wrong configuration is one line on stderr and exit code 2", async () => {
  const { code, output } = await runNode([service], { PORT: "none" }).ended;
  expect(code).toBe(2);
  expect(output).toBe(
    "example-service: cannot start: PORT must be a port number, 1 to 65535; KEY is required (What KEY is)\n",
  );
});

test("a port that is taken is one line and exit code 1", async () => {
  const { port } = await start();
  const { code, output } = await runNode([service], { KEY: "k", PORT: String(port) }).ended;
  expect(code).toBe(1);
  expect(output).toMatch(/^example-service: cannot start: .*EADDRINUSE.*\n$/);
});

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s lets a request under way finish, closes the stores after it, and exits with 0",
  async (signal) => {
    const { program, port } = await start();
    const answer = fetchKeptAlive(port, "/slow");
    await program.waitFor(/slow request begun/);
    const signalled = performance.now();
    program.child.kill(signal);
    expect(await answer).toEqual({ status: 200, body: '{"done":true}' });
    const { code, output } = await program.ended;
    expect(code).toBe(0);
    expect(output).toMatch(/stopping[\s\S]*"path":"\/slow"[\s\S]*stores closed[\s\S]*stopped/);
    // Far below the minute and more that a kept-alive connection would otherwise be waited for.
    expect(performance.now() - signalled).toBeLessThan(5_000);
  },
);

test("an idle kept-alive connection does not hold up the shutdown", async () => {
  const { program, port } = await start();
  await fetchKeptAlive(port, "/health");
  const signalled = performance.now();
  program.child.kill("SIGTERM");
  expect((await program.ended).code).toBe(0);
  expect(performance.now() - signalled).toBeLessThan(5_000);
});

/**
 * Asks on one connection that it keeps and never looks at between two answers, as many clients do, and goes to the next
 * port when an answer says that the connection ends. Returns how many answers it had of the last; throws when one is lost.
 */
async function keepAsking(ports: readonly number[], done: () => boolean, answered: () => void): Promise<number> {
  let answers = 0;
  for (const port of ports) {
    answers = 0;
    const socket = connect(port, "127.0.0.1");
    const heard = socket[Symbol.asyncIterator]();
    for (let open = true; open && !done(); ) {
      socket.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
      const { value, done: ended } = await heard.next();
      if (ended) throw new Error(`a request was lost after ${answers} answers`);
      answers += 1;
      answered();
      open = !/^connection: close\r$/im.test(String(value));
      await wait(5);
    }
    socket.destroy();
  }
  return answers;
}

test("no request on a kept-alive connection is lost when the service ends", async () => {
  const [first, second] = await Promise.all([start(), start()]);
  let enough = false;
  let answers = 0;
  const count = (): void => void answers++;
  const ports = [first.port, second.port];
  const clients = Array.from({ length: 20 }, () => keepAsking(ports, () => enough, count));
  await expect.poll(() => answers).toBeGreaterThan(100);
  const before = performance.now();
  first.program.child.kill("SIGTERM");
  expect((await first.program.ended).code).toBe(0);
  expect(performance.now() - before).toBeLessThan(3_000); // nobody is left to wait for
  enough = true;
  for (const ofSecond of await Promise.all(clients)) expect(ofSecond).toBeGreaterThan(0);
});

test("an unexpected error is logged and ends the process with 1", async () => {
  const { program, port } = await start();
  await fetchKeptAlive(port, "/crash").catch(() => {});
  const { code, output } = await program.ended;
  expect(code).toBe(1);
  expect(output).toContain('"error":"Error: unexpected"');
});

test("healthcheck exits with 0 when the service is well, and with 1 and a reason when not", async () => {
  const { port } = await start();
  const env = { PORT: String(port) };
  expect(await runNode([healthcheck], env).ended).toEqual({ code: 0, output: "" });
  expect(await runNode([healthcheck, "/health/ready"], env).ended).toEqual({ code: 0, output: "" });
  expect(await runNode([healthcheck, "/nowhere"], env).ended).toEqual({
    code: 1,
    output: "healthcheck: /nowhere answered 404\n",
  });
  const closed = await runNode([healthcheck], { PORT: String(await freePort()) }).ended;
  expect(closed).toEqual({ code: 1, output: expect.stringContaining("ECONNREFUSED") });
});
