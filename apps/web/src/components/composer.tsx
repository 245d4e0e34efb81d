"use client";

import { type FormEvent, type KeyboardEvent, useRef, useState } from "react";

const LONGEST = 4000;

/** Where a memory is written. Enter stores it, Shift and Enter begins a new line. */
export function Composer({ onStore }: { onStore: (text: string) => Promise<boolean> }) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);

  async function submit(event?: FormEvent) {
    event?.preventDefault();
    const wanted = text.trim();
    if (!wanted || busy) return area.current?.focus();
    setBusy(true);
    if (await onStore(wanted)) setText("");
    setBusy(false);
    area.current?.focus();
  }

  function onKey(event: KeyboardEvent) {
    // While an input method composes (Chinese, Japanese, …) Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
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
        maxLength={LONGEST}
        placeholder="Mira prefers the window seat on trains"
        aria-describedby="memory-hint"
        enterKeyHint="send"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={onKey}
      />
      <div className="composer-foot">
        <p className="hint" id="memory-hint">
          <kbd>Enter</kbd> stores, <kbd>Shift</kbd> + <kbd>Enter</kbd> starts a new line
        </p>
        {text.length > LONGEST * 0.9 ? <span className="tally">{LONGEST - text.length} left</span> : null}
        <button className="button primary" type="submit" disabled={busy}>
          {busy ? "Storing…" : "Store"}
        </button>
      </div>
    </form>
  );
}
