import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { expect, test } from "vitest";
import { AccountPage } from "../src/components/account-page.tsx";
import { Memories } from "../src/components/memories.tsx";
import { fromAccountForm } from "../src/session/arrival.ts";

function signInHeading(query: Record<string, string>): string {
  const other = { question: "New here?", href: "/sign-up", label: "Create an account" };
  const texts = { title: "Welcome back", lead: "Sign in to your memories.", submit: "Sign in" };
  return heading(
    renderToStaticMarkup(createElement(AccountPage, { ...texts, action: "sign-in", fields: [], other, query })),
  );
}

function heading(page: string): string {
  return /<h1[^>]*>/.exec(page)?.[0] ?? "no heading";
}

test.each(["signed-out", "expired"])(
  "who was led to the sign-in page (%s) is at its heading, and hears why",
  (reason) => {
    expect(signInHeading({ [reason]: "1" })).toBe('<h1 tabindex="-1" autofocus="" aria-describedby="notice">');
  },
);

test("who just signed in is at the heading of the memories", () => {
  const page = renderToStaticMarkup(createElement(Memories, { arrived: true }));
  expect(heading(page)).toContain('tabindex="-1" autofocus=""');
});

test("who opens a page begins at its top, with the skip link", () => {
  expect(signInHeading({})).not.toContain("autofocus");
  expect(heading(renderToStaticMarkup(createElement(Memories, { arrived: false })))).not.toContain("autofocus");
});

test.each([
  ["https://app.example.com/sign-in", true],
  ["https://app.example.com/sign-in?signed-out=1", true],
  ["https://app.example.com/sign-up", true],
  ["https://app.example.com/memories", false],
  ["https://elsewhere.example.com/", false],
  ["no address", false],
  ["", false],
  [null, false],
])("a page that is asked for from %s: just signed in is %s", (referer, arrived) => {
  expect(fromAccountForm(referer)).toBe(arrived);
});
