"use client";

import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { Memory } from "../session/memories.ts";

type Props = { memory: Memory; onRemove: (memory: Memory) => Promise<void> };

/** One memory. Deleting asks once, in place, since it cannot be undone. */
export function MemoryItem({ memory, onRemove }: Props) {
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const keep = useRef<HTMLButtonElement>(null);
  const remove = useRef<HTMLButtonElement>(null);
  const wasAsking = useRef(false);

  useEffect(() => {
    if (asking) keep.current?.focus();
    else if (wasAsking.current) remove.current?.focus();
    wasAsking.current = asking;
  }, [asking]);

  async function confirmed() {
    setBusy(true);
    await onRemove(memory);
    setBusy(false);
    setAsking(false);
  }

  function onKey(event: KeyboardEvent) {
    // Escape is "Keep", until it is being deleted.
    if (event.key === "Escape" && !busy) setAsking(false);
  }

  const start = memory.text.length > 40 ? `${memory.text.slice(0, 40)}…` : memory.text;
  return (
    // Takes the focus of a "Show more" that went away.
    <li className="memory" tabIndex={-1}>
      <p className="memory-text">{memory.text}</p>
      <div className="memory-foot">
        <time dateTime={memory.createdAt}>{when(memory.createdAt)}</time>
        {memory.score === undefined ? null : <Match score={memory.score} />}
        <span className="memory-actions">
          {asking ? (
            <>
              <button
                className="button quiet"
                type="button"
                ref={keep}
                onClick={() => setAsking(false)}
                onKeyDown={onKey}
              >
                Keep
              </button>
              <button className="button danger" type="button" disabled={busy} onClick={confirmed} onKeyDown={onKey}>
                Delete for good
              </button>
            </>
          ) : (
            <button
              className="button quiet"
              type="button"
              ref={remove}
              aria-label={`Delete: ${start}`}
              onClick={() => setAsking(true)}
            >
              Delete
            </button>
          )}
        </span>
      </div>
    </li>
  );
}

function Match({ score }: { score: number }) {
  const share = Math.max(0, Math.min(1, score));
  return (
    <span className="match">
      <svg className="match-bar" viewBox="0 0 56 6" aria-hidden="true" focusable="false">
        <rect width="56" height="6" rx="3" />
        <rect width={56 * share} height="6" rx="3" />
      </svg>
      {`${Math.round(share * 100)}% match`}
    </span>
  );
}

function when(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  const minutes = Math.round((Date.now() - date.getTime()) / 60_000);
  if (minutes < 1) return "Just now";
  if (minutes < 60) return minutes === 1 ? "A minute ago" : `${minutes} minutes ago`;
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
