import Link from "next/link";
import { type Problem, waitOf } from "../session/messages.ts";
import { AccountForm, type Field } from "./account-form.tsx";
import { Mark } from "./mark.tsx";

type Query = Record<string, string | string[] | undefined>;
type Props = {
  action: "sign-in" | "sign-up";
  title: string;
  lead: string;
  submit: string;
  fields: Field[];
  other: { question: string; href: string; label: string };
  query: Query;
};

/** Sign-in and sign-up: what this is on one side, the form on the other. */
export function AccountPage({ action, title, lead, submit, fields, other, query }: Props) {
  const notice = noticeIn(query);
  const typed = { email: text(query.email), name: text(query.name) };
  return (
    <div className="account">
      <aside className="account-story">
        <p className="brand">
          <Mark /> <span>NextAI Agent</span>
        </p>
        <div className="account-pitch">
          <p className="pitch">Keep what matters. Find it again by what it meant.</p>
          <ul className="echoes" aria-hidden="true">
            <li>The bakery by the canal opens at six on Sundays</li>
            <li>Grandmother’s plum cake: less sugar, more cinnamon</li>
            <li>Mira prefers the window seat on trains</li>
          </ul>
        </div>
      </aside>
      <main id="content" className="account-main">
        <div className="account-box">
          {/* biome-ignore lint/a11y/noAutofocus: who comes with a notice was led here (session/arrival.ts) */}
          <h1 tabIndex={-1} autoFocus={notice !== undefined} aria-describedby={notice ? "notice" : undefined}>
            {title}
          </h1>
          <p className="lead">{lead}</p>
          {notice ? (
            <p className="notice" id="notice" role="status">
              {notice}
            </p>
          ) : null}
          <AccountForm action={action} submit={submit} fields={fields} typed={typed} problem={problemIn(query)} />
          <p className="other">
            {other.question} <Link href={other.href}>{other.label}</Link>
          </p>
        </div>
      </main>
    </div>
  );
}

/** Why a person was led here. */
function noticeIn(query: Query): string | undefined {
  if (query["signed-out"]) return "You are signed out.";
  return query.expired ? "Your session is over. Please sign in again." : undefined;
}

/** What a form that was sent without a script came back with. */
function problemIn(query: Query): Problem | undefined {
  const code = text(query.error);
  return code ? { code, fields: text(query.fields).split(","), wait: waitOf(text(query.wait)) } : undefined;
}

/** As long as the longest field that comes back, an email address. */
function text(value: string | string[] | undefined): string {
  return typeof value === "string" ? value.slice(0, 254) : "";
}
