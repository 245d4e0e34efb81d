"use client";

import { type FormEvent, useEffect, useRef, useState } from "react";
import { messageFor, type Problem, problemOf } from "../session/messages.ts";

export type Field = {
  name: "name" | "email" | "password";
  label: string;
  type: "text" | "email" | "password";
  autoComplete: string;
  hint?: string;
  minLength?: number;
  maxLength: number;
};

type Props = {
  action: "sign-in" | "sign-up";
  submit: string;
  fields: Field[];
  typed: { email: string; name: string };
  problem: Problem | undefined;
};

/** A form that works without a script; with one, errors show in place and nothing that was typed is lost. */
export function AccountForm({ action, submit, fields, typed, problem }: Props) {
  const [error, setError] = useState(problem ? messageFor(problem) : "");
  const [busy, setBusy] = useState(false);
  const alert = useRef<HTMLParagraphElement>(null);

  useEffect(() => {
    if (error) alert.current?.focus();
  }, [error]);

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const fields = Object.fromEntries(new FormData(event.currentTarget));
    setBusy(true);
    setError("");
    const problem = await begin(action, JSON.stringify(fields));
    if (problem) {
      setError(problem);
      setBusy(false);
      return;
    }
    // A whole new page: nothing of another person's may be left in this one's memory.
    window.location.assign("/memories");
  }

  return (
    <form className="form" method="post" action={`/api/session/${action}`} onSubmit={send} aria-busy={busy}>
      {error ? (
        <p className="problem" role="alert" tabIndex={-1} ref={alert}>
          {error}
        </p>
      ) : null}
      {fields.map((field) => (
        <div className="field" key={field.name}>
          <label htmlFor={field.name}>{field.label}</label>
          <input
            id={field.name}
            name={field.name}
            type={field.type}
            autoComplete={field.autoComplete}
            defaultValue={field.name === "password" ? undefined : typed[field.name]}
            minLength={field.minLength}
            maxLength={field.maxLength}
            aria-describedby={field.hint ? `${field.name}-hint` : undefined}
            autoCapitalize={field.type === "email" ? "none" : undefined}
            required
          />
          {field.hint ? (
            <p className="hint" id={`${field.name}-hint`}>
              {field.hint}
            </p>
          ) : null}
        </div>
      ))}
      <button className="button primary wide" type="submit" disabled={busy}>
        {busy ? "One moment…" : submit}
      </button>
    </form>
  );
}

async function begin(action: string, body: string): Promise<string | undefined> {
  try {
    const answer = await fetch(`/api/session/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body,
    });
    if (answer.ok) return undefined;
    return messageFor(await problemOf(answer));
  } catch {
    return messageFor({ code: "gateway_unreachable" });
  }
}
