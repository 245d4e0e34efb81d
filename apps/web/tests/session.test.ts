import { describe, expect, test } from "vitest";
import { problemOf } from "../src/session/messages.ts";
import { errorOf, MIRA, platform } from "./setup.ts";

describe("a session", () => {
  const it = platform();

  test("begins with cookies that no script can read, and no token in the body", async () => {
    const response = await it.browser().session("sign-up", MIRA);
    expect(response.status).toBe(201);
    const body = await response.text();
    expect(JSON.parse(body)).toEqual({ user: { id: expect.any(String), email: MIRA.email, name: MIRA.name } });
    const cookies = response.headers.getSetCookie();
    expect(cookies).toHaveLength(2);
    for (const cookie of cookies) {
      expect(cookie).toMatch(/; Path=\/; Max-Age=\d+; HttpOnly; SameSite=Lax$/);
      expect(body).not.toContain(cookie.split(/[=;]/)[1]);
    }
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("passes on only the fields that the form has", async () => {
    await it.browser().session("sign-up", { ...MIRA, role: "admin" });
    expect(JSON.parse(it.upstream.to("/api/auth/sign-up")[0]?.body ?? "")).toEqual(MIRA);
  });

  test("says what the service says about wrong credentials and taken addresses", async () => {
    const browser = it.browser();
    await browser.session("sign-up", MIRA);
    const wrong = await it.browser().session("sign-in", { ...MIRA, password: "guess guess" });
    expect([wrong.status, (await errorOf(wrong)).code]).toEqual([401, "invalid_credentials"]);
    expect(wrong.headers.getSetCookie()).toEqual([]);
    const taken = await it.browser().session("sign-up", MIRA);
    expect([taken.status, (await errorOf(taken)).code]).toEqual([409, "email_taken"]);
  });

  test("works from a plain form, by redirects that keep what was typed but the password", async () => {
    const browser = it.browser();
    const failed = await browser.form("sign-in", { email: "x@example.com", password: "secret words" });
    expect(failed.status).toBe(303);
    expect(failed.headers.get("location")).toBe("/sign-in?error=invalid_credentials&email=x%40example.com");
    const joined = await browser.form("sign-up", MIRA);
    expect([joined.status, joined.headers.get("location")]).toEqual([303, "/memories"]);
    expect((await browser.send("GET", "/api/users/me")).status).toBe(200);
    const left = await browser.form("sign-out", {});
    expect([left.status, left.headers.get("location")]).toEqual([303, "/sign-in?signed-out=1"]);
    expect(browser.cookies.size).toBe(0);
  });

  test("says which fields the service refused, to a script and to a plain form", async () => {
    const wrong = { name: "x".repeat(101), email: "mira@localhost", password: "short" };
    const scripted = await problemOf(await it.browser().session("sign-up", wrong));
    expect(scripted).toEqual({ code: "validation", fields: ["email", "password", "name"], wait: undefined });
    const form = await it.browser().form("sign-up", wrong);
    const query = new URL(form.headers.get("location") ?? "", "http://web").searchParams;
    expect([query.get("error"), query.get("fields")]).toEqual(["validation", "email,password,name"]);
  });

  test("says how long to wait after too many attempts, to a script and to a plain form", async () => {
    const guess = { email: MIRA.email, password: "guess guess" };
    for (let attempt = 0; attempt < 10; attempt += 1) await it.browser().session("sign-in", guess);
    const scripted = await it.browser().session("sign-in", guess);
    expect(scripted.status).toBe(429);
    expect(await problemOf(scripted)).toEqual({ code: "too_many_attempts", fields: [], wait: 900 });
    const form = await it.browser().form("sign-in", guess);
    expect(form.headers.get("location")).toBe("/sign-in?error=too_many_attempts&wait=900&email=mira%40example.com");
  });

  test("ends at the service with the newest refresh token", async () => {
    const browser = it.browser();
    await browser.session("sign-up", MIRA);
    const old = new Map(browser.cookies);
    it.upstream.expireAccess();
    await browser.send("GET", "/api/memories");
    const newest = browser.cookies.get("nextai_refresh");
    // A tab that has not seen the new cookies yet.
    for (const [name, value] of old) browser.cookies.set(name, value);
    expect((await browser.session("sign-out", {})).status).toBe(204);
    expect(JSON.parse(it.upstream.to("/api/auth/sign-out")[0]?.body ?? "")).toEqual({ refreshToken: newest });
  });

  test("ends at the browser even when the service is down", async () => {
    const browser = it.browser();
    await browser.session("sign-up", MIRA);
    await it.upstream.close();
    expect((await browser.session("sign-out", {})).status).toBe(204);
    expect(browser.cookies.size).toBe(0);
  });

  test("is not begun or ended by another site", async () => {
    for (const origin of ["http://evil.example.com", "null", "http://app.example.com.evil.net", ""]) {
      const response = await it.browser().session("sign-up", MIRA, { origin });
      expect([response.status, (await errorOf(response)).code]).toEqual([403, "foreign_origin"]);
    }
    expect(it.upstream.requests).toEqual([]);
  });

  test("refuses what is no form, and actions that do not exist", async () => {
    const browser = it.browser();
    const json = { "content-type": "application/json" };
    expect((await browser.send("POST", "/api/session/sign-in", "no json", json)).status).toBe(422);
    expect((await browser.send("POST", "/api/session/sign-in", "[]", json)).status).toBe(422);
    expect((await browser.send("POST", "/api/session/sign-in", `"${"x".repeat(20_000)}"`, json)).status).toBe(413);
    expect((await browser.session("become-admin", {})).status).toBe(404);
  });

  test("says 502 when the service is down", async () => {
    await it.upstream.close();
    const response = await it.browser().session("sign-in", MIRA, { "x-request-id": "caller-1" });
    expect(response.status).toBe(502);
    expect(await errorOf(response)).toMatchObject({ code: "gateway_unreachable", requestId: "caller-1" });
    const form = await it.browser().form("sign-in", MIRA);
    expect(form.headers.get("location")).toContain("/sign-in?error=gateway_unreachable");
  });
});

describe("over HTTPS", () => {
  const it = platform({ COOKIE_SECURE: "true" });

  test("cookies are Secure and bound to this host", async () => {
    const response = await it.browser().session("sign-up", MIRA);
    for (const cookie of response.headers.getSetCookie()) {
      expect(cookie).toMatch(/^__Host-nextai_(access|refresh)=/);
      expect(cookie).toMatch(/; Secure$/);
    }
  });
});
