import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { guardServer } from "../src/front.ts";

const WORDS = { title: "An example", back: "Back to the first page" };
let server: Server;
let port: number;
const reached: string[] = [];

// What Next.js would do with these is looked at in tests/e2e; here is what reaches it.
beforeEach(async () => {
  reached.length = 0;
  server = createServer(async (request, response) => {
    reached.push(`${request.method} ${request.url}`);
    await request.forEach(() => {}).catch(() => {});
    response.end("the page", () => {});
  });
  guardServer(server, WORDS, 150);
  guardServer(server, WORDS, 150);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => new Promise((resolve) => server.close(resolve).closeAllConnections()));

/** What the server says to these bytes. */
function said(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let text = "";
    socket.on("data", (data) => (text += data));
    socket.on("end", () => resolve(text)).on("error", reject);
  });
}

const request = (line: string, headers = "") =>
  said(`${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`);

test.each(["/%FF", "/%", "/memories/%E0%A4%A", "/api/memories/%c3%28", "/%00"])(
  "an address that cannot be read is a 400: %s",
  async (path) => {
    const answer = await request(`GET ${path}`);
    expect(answer).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"bad_request"/);
    expect(reached).toEqual([]);
  },
);

test.each(["TRACE", "PROPFIND", "LOCK", "PURGE"])("a method of no use here is a 405: %s", async (method) => {
  const answer = await request(`${method} /memories`);
  expect(answer).toMatch(/^HTTP\/1.1 405 [\s\S]*"code":"method_not_allowed"/);
  expect(answer).toMatch(/^allow: GET, HEAD, POST/im);
  expect(reached).toEqual([]);
});

test("a person is told so by a page, a program by the error body", async () => {
  const page = await request("GET /%FF", "Accept: text/html\r\n");
  expect(page).toMatch(
    /content-type: text\/html[\s\S]*<title>An example<[\s\S]*<h1>This address cannot be read[\s\S]*Back to the first page/i,
  );
  expect(await request("GET /api/%FF", "Accept: text/html\r\n")).toContain('"code":"bad_request"');
});

test("everything else goes through", async () => {
  for (const path of ["/", "/memories?q=%FF%", "/caf%C3%A9", "/api/memories/1"]) {
    expect(await request(`GET ${path}`)).toContain("the page");
  }
  expect(await request("POST /api/memories", "Content-Length: 2\r\n\r\n{}")).toContain("the page");
  expect(reached).toHaveLength(5);
});

test.each(["Content-Length: 100", "Transfer-Encoding: chunked"])(
  "a body that does not arrive is a 408 that ends the connection: %s",
  async (header) => {
    const answer = await said(`POST /api/memories HTTP/1.1\r\nHost: x\r\n${header}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 408 [\s\S]*"code":"request_timeout"/);
    expect(answer).toMatch(/^connection: close/im);
  },
);
