"use client";

import { type FormEvent, type KeyboardEvent, useRef, useState } from "react";
import { refusal, rest, room, stores, tally } from "../session/draft.ts";

/** Where a memory is written. Enter stores it, Shift and Enter begins a new line. */
export function Composer({ onStore }: { onStore: (text: string) => Promise<boolean> }) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  // How often this text was refused; one that is too long stays refused until it is short enough.
  const [refusals, setRefusals] = useState(0);
  const area = useRef<HTMLTextAreaElement>(null);
  const left = tally(text);
  const tooLong = room(text) < 0;
  const problem = tooLong || refusals > 0 ? refusal(text) : "";

  function write(now: string) {
    setText(now);
    if (room(now) >= 0) setRefusals(0);
  }

  async function submit(event?: FormEvent) {
    event?.preventDefault();
    if (busy) return area.current?.focus();
    if (refusal(text)) {
      setRefusals(refusals + 1);
      return area.current?.focus();
    }
    setBusy(true);
    const memory = text.trim();
    if (await onStore(memory)) setText((now) => rest(now, memory));
    setBusy(false);
    area.current?.focus();
  }

  function onKey(event: KeyboardEvent) {
    if (!stores(event.nativeEvent)) return;
    event.preventDefault();
    void submit();
  }

  return (
    <form className="composer" onSubmit={submit} aria-busy={busy}>
      <label htmlFor="memory">New memory</label>
      <textarea
        id="memory"
        ref={area}
        value={text}
        rows={2}
        placeholder="Mira prefers the window seat on trains"
        aria-describedby="memory-problem memory-tally memory-hint"
        aria-invalid={problem !== ""}
        enterKeyHint="send"
        onChange={(event) => write(event.target.value)}
        onKeyDown={onKey}
      />
      {problem ? (
        // A new element at each refusal: one that stays as it is would not be read out again.
        <p className="problem" id="memory-problem" role="alert" key={refusals}>
          {problem}
        </p>
      ) : null}
      <div className="composer-foot">
        <p className="hint" id="memory-hint">
          <kbd>Enter</kbd> stores, <kbd>Shift</kbd> + <kbd>Enter</kbd> starts a new line
        </p>
        {left ? (
          <span className={tooLong ? "tally over" : "tally"} id="memory-tally">
            {left}
          </span>
        ) : null}
        <button className="button primary" type="submit" disabled={busy}>
          {busy ? "Storing…" : "Store"}
        </button>
      </div>
    </form>
  );
}
