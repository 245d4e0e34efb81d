"use client";

import { isBlank } from "@nextai/web-kit/text";
import { type FormEvent, type RefObject, useCallback, useEffect, useReducer, useRef, useState } from "react";
import { flushSync } from "react-dom";
import {
  ApiProblem,
  deleteMemory,
  listMemories,
  type Memory,
  SESSION_OVER,
  searchMemories,
  storeMemory,
} from "../session/memories.ts";
import { type Action, next, start, type View } from "../session/view.ts";
import { Composer } from "./composer.tsx";
import { MemoryItem } from "./memory-item.tsx";

/** The page's whole content: store, search, list, delete. `arrived`: just now, by signing in. */
export function Memories({ arrived }: { arrived: boolean }) {
  const [{ view, question, typed, said }, dispatch] = useReducer(next, start);
  const [problem, setProblem] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);
  const list = useRef<HTMLUListElement>(null);

  const guarded = useCallback(async (work: () => Promise<void>, failed: (message: string) => void) => {
    try {
      await work();
    } catch (error) {
      failed(error instanceof Error ? error.message : String(error));
    }
  }, []);

  useEffect(() => {
    void guarded(
      async () => {
        const { items, cursor } = await (question.query ? searchMemories(question.query) : listMemories());
        dispatch({ type: "answered", question, items, cursor: cursor ?? undefined });
      },
      (message) => {
        // On arrival only: later on, what is being written would be lost.
        if (message === SESSION_OVER && question === start.question) {
          return window.location.assign("/sign-in?expired=1");
        }
        dispatch({ type: "failed", question, problem: message });
      },
    );
  }, [question, guarded]);

  function search(event: FormEvent) {
    event.preventDefault();
    setProblem("");
    dispatch({ type: "asked", query: isBlank(typed) ? "" : typed.trim() });
  }

  /** By a button that goes away then: its focus would be lost. */
  function askByButton(action: Action) {
    dispatch(action);
    heading.current?.focus();
  }

  async function more(from: string, button: HTMLButtonElement) {
    setProblem("");
    await guarded(async () => {
      const { items, cursor } = await listMemories(from);
      const held = document.activeElement === button;
      const before = list.current?.children.length ?? 0;
      // At once, so that what has come can be looked at: on the last page the button is gone, and its focus with it.
      flushSync(() => dispatch({ type: "continued", from, items, cursor: cursor ?? undefined }));
      if (!held || button.isConnected) return;
      const first = list.current?.children.item(before);
      if (first instanceof HTMLElement) first.focus();
      else heading.current?.focus();
    }, setProblem);
  }

  /** Whether it was stored: if not, the composer keeps the text. */
  async function store(text: string): Promise<boolean> {
    let stored = false;
    setProblem("");
    await guarded(async () => {
      const memory = await storeMemory(text);
      stored = true;
      dispatch({ type: "stored", memory, question });
    }, setProblem);
    return stored;
  }

  async function remove(memory: Memory) {
    setProblem("");
    await guarded(async () => {
      // Gone already (deleted elsewhere) is as good as deleted.
      await deleteMemory(memory.id).catch((error: unknown) => {
        if (!(error instanceof ApiProblem && error.status === 404)) throw error;
      });
      dispatch({ type: "removed", id: memory.id });
      heading.current?.focus();
    }, setProblem);
  }

  return (
    <>
      {/* biome-ignore lint/a11y/noAutofocus: only for who was led here (session/arrival.ts) */}
      <h1 className="page-title" tabIndex={-1} autoFocus={arrived}>
        Memories
      </h1>
      <p className="lead">Write down what you want to keep. Ask for it later in your own words.</p>
      <Composer onStore={store} />
      {problem ? (
        <p className="problem" role="alert">
          <Problem text={problem} />
        </p>
      ) : null}
      <search>
        <form className="search" onSubmit={search}>
          <label htmlFor="search">Search your memories</label>
          <div className="search-row">
            <input
              id="search"
              type="search"
              value={typed}
              maxLength={500}
              placeholder="Where was that bakery?"
              enterKeyHint="search"
              onChange={(event) => dispatch({ type: "typed", text: event.target.value })}
            />
            <button className="button" type="submit">
              Search
            </button>
          </div>
        </form>
      </search>
      <section aria-labelledby="list-title" aria-busy={view.state === "loading"}>
        <div className="list-head">
          <h2 id="list-title" ref={heading} tabIndex={-1}>
            {view.state === "found" ? <>Closest to “{view.query}”</> : "All memories"}
          </h2>
          {view.state === "found" ? (
            <button className="button quiet" type="button" onClick={() => askByButton({ type: "asked", query: "" })}>
              Show all
            </button>
          ) : "items" in view && view.items.length > 0 ? (
            <span className="tally">{`${view.items.length}${view.cursor ? "+" : ""}`}</span>
          ) : null}
        </div>
        <List
          view={view}
          list={list}
          onRemove={remove}
          onMore={more}
          onRetry={() => askByButton({ type: "retried" })}
        />
      </section>
      <p className="unseen" role="status" aria-live="polite">
        {said}
      </p>
    </>
  );
}

type ListProps = {
  view: View;
  list: RefObject<HTMLUListElement | null>;
  onRemove: (memory: Memory) => Promise<void>;
  onMore: (cursor: string, button: HTMLButtonElement) => Promise<void>;
  onRetry: () => void;
};

function List({ view, list, onRemove, onMore, onRetry }: ListProps) {
  if (view.state === "loading") return <Skeleton />;
  if (view.state === "failed") {
    return (
      <div className="empty" role="alert">
        <p className="empty-title">Your memories could not be loaded</p>
        <p>
          <Problem text={view.problem} />
        </p>
        <button className="button" type="button" onClick={onRetry}>
          Try again
        </button>
      </div>
    );
  }
  const cursor = view.state === "list" ? view.cursor : undefined;
  if (view.items.length === 0 && !cursor) return <Empty found={view.state === "found"} />;
  return (
    <>
      <ul className="list" ref={list}>
        {view.items.map((memory) => (
          <MemoryItem key={memory.id} memory={memory} onRemove={onRemove} />
        ))}
      </ul>
      {cursor ? (
        <button className="button wide" type="button" onClick={(event) => onMore(cursor, event.currentTarget)}>
          Show more
        </button>
      ) : null}
    </>
  );
}

/** Who has to sign in again does it in another tab: what is being written here would be lost. */
function Problem({ text }: { text: string }) {
  if (text !== SESSION_OVER) return text;
  return (
    <>
      {text}{" "}
      <a href="/sign-in?expired=1" target="_blank" rel="noopener">
        Sign in again in a new tab
      </a>
      , then come back here.
    </>
  );
}

function Empty({ found }: { found: boolean }) {
  return (
    <div className="empty">
      <svg className="empty-art" viewBox="0 0 120 60" aria-hidden="true" focusable="false">
        <path d="M8 46c14 0 14-30 28-30s14 30 28 30 14-22 26-22" />
        <circle cx="101" cy="20" r="6" />
      </svg>
      <p className="empty-title">{found ? "Nothing comes to mind" : "Nothing here yet"}</p>
      <p>
        {found ? "Try other words, or store it now." : "Store your first memory above: a fact, a place, a promise."}
      </p>
    </div>
  );
}

function Skeleton() {
  return (
    <>
      <noscript>
        <p className="empty">
          Your memories are shown, stored and searched by scripts, and this browser runs none. Allow them for this site,
          then reload the page.
        </p>
      </noscript>
      <div className="list ghosts" aria-hidden="true">
        {["a", "b", "c"].map((key) => (
          <div className="memory ghost" key={key}>
            <span />
            <span />
          </div>
        ))}
      </div>
    </>
  );
}
