import type { ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { anotherPod, errorOf, MIRA, platform } from "./setup.ts";

const JSON_TYPE = { "content-type": "application/json" };

describe("the API behind the page", () => {
  const it = platform();

  async function signedIn() {
    const browser = it.browser();
    await browser.session("sign-up", MIRA);
    return browser;
  }

  test("gets path, query, body and the person's token, and its answer comes back", async () => {
    const browser = await signedIn();
    const stored = await browser.send("POST", "/api/memories", JSON.stringify({ text: "plum cake" }), JSON_TYPE);
    expect(stored.status).toBe(201);
    const found = await browser.send("GET", "/api/memories/search?q=plum%20cake&limit=3");
    expect(((await found.json()) as { items: object[] }).items).toHaveLength(1);
    const seen = it.upstream.requests.at(-1);
    expect(seen?.url).toBe("/api/memories/search?q=plum%20cake&limit=3");
    expect(seen?.headers.authorization).toBe(`Bearer ${browser.cookies.get("nextai_access")}`);
    expect(found.headers.get("x-upstream")).toBe("yes");
    expect(found.headers.get("cache-control")).toBe("no-store");
  });

  test("gets the caller's address and request id, and nothing that a caller made up", async () => {
    const browser = await signedIn();
    await browser.send("GET", "/api/memories", undefined, {
      "x-request-id": "caller-1",
      "x-forwarded-for": "203.0.113.7",
      "x-user-id": "somebody-else",
      authorization: "Bearer made-up",
      connection: "close, x-private",
      "x-private": "1",
      "keep-alive": "timeout=5",
    });
    const headers = it.upstream.requests.at(-1)?.headers ?? {};
    expect(headers).toMatchObject({ "x-request-id": "caller-1", "x-forwarded-for": "203.0.113.7" });
    expect(headers.authorization).toBe(`Bearer ${browser.cookies.get("nextai_access")}`);
    for (const name of ["cookie", "x-user-id", "x-private", "origin"]) expect(headers).not.toHaveProperty(name);
    expect(headers["keep-alive"]).not.toBe("timeout=5");
  });

  test("may neither set cookies on this host nor open it to other origins", async () => {
    it.upstream.intercept = (_seen, response) => {
      response.writeHead(200, {
        "Set-Cookie": "a=b",
        "Access-Control-Allow-Origin": "*",
        "Cache-Control": "max-age=5",
      });
      response.end("{}");
      return true;
    };
    const response = await it.browser().send("GET", "/api/anything");
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("cache-control")).toBe("max-age=5");
  });

  test("renews an expired session once, and the request is sent again with its body", async () => {
    const browser = await signedIn();
    const before = browser.cookies.get("nextai_access");
    it.upstream.expireAccess();
    const stored = await browser.send("POST", "/api/memories", JSON.stringify({ text: "again" }), JSON_TYPE);
    expect(stored.status).toBe(201);
    expect(it.upstream.to("/api/memories").map((seen) => seen.body)).toEqual(['{"text":"again"}', '{"text":"again"}']);
    expect(browser.cookies.get("nextai_access")).not.toBe(before);
  });

  test("renews once for requests at the same time, so that no reuse is detected", async () => {
    const browser = await signedIn();
    it.upstream.expireAccess();
    const answers = await Promise.all(Array.from({ length: 8 }, () => browser.send("GET", "/api/memories")));
    expect(answers.map((answer) => answer.status)).toEqual(Array(8).fill(200));
    expect(it.upstream.to("/api/auth/refresh")).toHaveLength(1);
    expect((await browser.send("GET", "/api/memories")).status).toBe(200);
  });

  test("renews for a request that left before the browser had the new cookies", async () => {
    const browser = await signedIn();
    const old = new Map(browser.cookies);
    it.upstream.expireAccess();
    await browser.send("GET", "/api/memories");
    for (const [name, value] of old) browser.cookies.set(name, value);
    expect((await browser.send("GET", "/api/memories")).status).toBe(200);
    expect(it.upstream.to("/api/auth/refresh")).toHaveLength(1);
  });

  test("renews at two pods at the same moment, and the session goes on with either's cookies", async () => {
    const browser = await signedIn();
    const [here, there] = [browser.pod, await anotherPod()];
    for (const next of [here, there, here]) {
      it.upstream.expireAccess();
      const before = it.upstream.to("/api/auth/refresh").length;
      const answers = [here, there].map((pod) => {
        browser.pod = pod;
        return browser.send("GET", "/api/memories");
      });
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
      expect(it.upstream.to("/api/auth/refresh")).toHaveLength(before + 2);
      browser.pod = next;
      expect((await browser.send("GET", "/api/users/me")).status).toBe(200);
    }
    const left = new Map(browser.cookies);
    await browser.session("sign-out", {});
    for (const [name, value] of left) browser.cookies.set(name, value);
    browser.cookies.delete("nextai_access");
    browser.pod = await anotherPod();
    expect((await browser.send("GET", "/api/memories")).status).toBe(401);
    expect(browser.cookies.size).toBe(0);
  });

  test("is asked for new tokens first when only the refresh cookie is left", async () => {
    const browser = await signedIn();
    browser.cookies.delete("nextai_access");
    expect((await browser.send("GET", "/api/memories")).status).toBe(200);
    expect(it.upstream.to("/api/memories")).toHaveLength(1);
    expect(browser.cookies.has("nextai_access")).toBe(true);
  });

  test("ends the session when it cannot be renewed, with 401 and no cookies", async () => {
    const browser = await signedIn();
    it.upstream.expireAccess();
    browser.cookies.set("nextai_refresh", "stolen-or-revoked");
    const response = await browser.send("GET", "/api/memories");
    expect(response.status).toBe(401);
    expect(browser.cookies.size).toBe(0);
    expect(it.upstream.to("/api/memories")).toHaveLength(1);
  });

  test("keeps the session when the renewal itself fails", async () => {
    const browser = await signedIn();
    it.upstream.expireAccess();
    it.upstream.intercept = ({ url }, response) => {
      if (!url.startsWith("/api/auth/")) return false;
      response.writeHead(503, { "Retry-After": "1" }).end("{}");
      return true;
    };
    const response = await browser.send("GET", "/api/memories");
    expect([response.status, (await errorOf(response)).code]).toEqual([503, "session_not_renewed"]);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(browser.cookies.size).toBe(2);
    it.upstream.intercept = () => false;
    expect((await browser.send("GET", "/api/memories")).status).toBe(200);
  });

  test.each([
    [
      "the access cookie had lapsed; now it is slow",
      (cookies: Map<string, string>) => cookies.delete("nextai_access"),
      504,
    ],
    ["the access token was refused; now it is down", () => it.upstream.expireAccess(), 502],
  ])("failing after a renewal keeps the new session: %s", async (_why, lapse, status) => {
    const browser = await signedIn();
    const spent = browser.cookies.get("nextai_refresh");
    lapse(browser.cookies);
    if (status === 504) browser.waits.whole = 2_000; // the renewal takes some of it
    it.upstream.intercept = ({ url }, response) => {
      if (url !== "/api/memories" || it.upstream.to("/api/auth/refresh").length === 0) return false;
      if (status === 502) response.destroy();
      return true;
    };
    const response = await browser.send("GET", "/api/memories");
    browser.waits.whole = 20_000;
    expect([response.status, response.headers.get("cache-control")]).toEqual([status, "no-store"]);
    expect(browser.cookies.get("nextai_refresh")).not.toBe(spent);
    it.upstream.intercept = () => false;
    expect((await browser.send("GET", "/api/memories")).status).toBe(200);
    expect(it.upstream.to("/api/auth/refresh")).toHaveLength(1);
  });

  test("is not reached by another site's forms and scripts", async () => {
    const browser = await signedIn();
    const before = it.upstream.requests.length;
    for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
      const response = await browser.send(method, "/api/memories/1", undefined, { origin: "https://evil.example.com" });
      expect(response.status).toBe(403);
    }
    expect(it.upstream.requests).toHaveLength(before);
  });

  test("being down is 502, being slow is 504, each with an error body", async () => {
    it.upstream.intercept = () => true; // never answers
    const browser = it.browser();
    browser.waits.whole = 100;
    const slow = await browser.send("GET", "/api/memories", undefined, { "x-request-id": "slow-one" });
    expect(slow.status).toBe(504);
    expect(await errorOf(slow)).toMatchObject({ code: "gateway_timeout", requestId: "slow-one" });
    await it.upstream.close();
    const down = await it.browser().send("GET", "/api/memories");
    expect(down.status).toBe(502);
    expect(await errorOf(down)).toEqual({
      code: "gateway_unreachable",
      message: expect.any(String),
      requestId: expect.stringMatching(/^[\w-]{36}$/),
    });
  });

  test("gets no body longer than 1 MiB", async () => {
    const browser = await signedIn();
    expect((await browser.send("POST", "/api/memories", "x".repeat(1_048_577))).status).toBe(413);
    expect(it.upstream.to("/api/memories")).toEqual([]);
  });

  test("hands redirects back instead of following them", async () => {
    it.upstream.intercept = (_seen, response) => {
      response.writeHead(302, { Location: "http://169.254.169.254/" }).end();
      return true;
    };
    const response = await it.browser().send("GET", "/api/elsewhere");
    expect([response.status, response.headers.get("location")]).toEqual([302, "http://169.254.169.254/"]);
  });
});

describe("a stream", () => {
  const it = platform();

  /** A service that says a part whenever the test asks for one, and whether its reader has left. */
  function speaking() {
    let response!: ServerResponse;
    let left = false;
    it.upstream.intercept = (_seen, answer) => {
      response = answer.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
      answer.on("close", () => {
        left = true;
      });
      return answer.write("data: first\n\n");
    };
    return { say: (part: string) => response.write(`data: ${part}\n\n`), end: () => response.end(), left: () => left };
  }

  const read = (response: Response) => response.body?.pipeThrough(new TextDecoderStream()).getReader();

  test("is passed on while it is made, and outlives the limit of a whole answer", async () => {
    const service = speaking();
    const browser = it.browser();
    browser.waits.whole = 1_000;
    const response = await browser.send("GET", "/api/runs/1");
    expect(response.headers.get("cache-control")).toBe("no-cache, no-transform");
    const reader = read(response);
    expect((await reader?.read())?.value).toBe("data: first\n\n");
    const began = performance.now();
    for (let part = 0; performance.now() - began < 1_500; part++) {
      service.say(String(part));
      expect((await reader?.read())?.value).toBe(`data: ${part}\n\n`);
      await wait(100);
    }
    service.end();
    expect((await reader?.read())?.done).toBe(true);
  });

  test("whose request renewed the session is kept by no cache, and compressed by nobody", async () => {
    const browser = it.browser();
    await browser.session("sign-up", MIRA);
    browser.cookies.delete("nextai_access");
    it.upstream.intercept = ({ url }, response) => {
      if (!url.startsWith("/api/runs")) return false;
      response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" }).end("data: 1\n\n");
      return true;
    };
    const response = await browser.send("GET", "/api/runs/1");
    expect(browser.cookies.has("nextai_access")).toBe(true);
    expect(response.headers.get("cache-control")).toBe("no-store, no-transform");
    expect(await response.text()).toBe("data: 1\n\n");
  });

  test("that is silent is given up", async () => {
    const service = speaking();
    const browser = it.browser();
    browser.waits.idle = 1_000;
    const reader = read(await browser.send("GET", "/api/runs/1"));
    await reader?.read();
    await expect(reader?.read()).rejects.toThrow("silent");
    await expect.poll(service.left).toBe(true);
  });

  test("ends for the service when the person leaves", async () => {
    const service = speaking();
    const response = await it.browser().send("GET", "/api/runs/1");
    expect(service.left()).toBe(false);
    await response.body?.cancel();
    await expect.poll(service.left).toBe(true);
  });

  test.each(["/api/runs/1", "/api/memories"])(
    "that nobody waits for (nor any answer) ends for the service before its first part: %s",
    async (path) => {
      let left = false;
      const asked = new Promise<void>((resolve) => {
        it.upstream.intercept = (_seen, answer) => {
          answer.on("close", () => {
            left = true;
          });
          resolve();
          return true;
        };
      });
      const browser = it.browser();
      const person = new AbortController();
      browser.leaves = person.signal;
      const answer = browser.send("GET", path);
      await asked;
      person.abort();
      expect((await answer).status).toBe(499); // and not the gateway's failure
      await expect.poll(() => left).toBe(true);
    },
  );

  test("begins in time, as any answer does", async () => {
    it.upstream.intercept = () => true;
    const browser = it.browser();
    browser.waits.whole = 100;
    const response = await browser.send("GET", "/api/runs/1");
    expect([response.status, (await errorOf(response)).code]).toEqual([504, "gateway_timeout"]);
  });
});
