"use client";

import { type FormEvent, useCallback, useEffect, useRef, useState } from "react";
import {
  ApiProblem,
  deleteMemory,
  listMemories,
  type Memory,
  searchMemories,
  storeMemory,
} from "../session/memories.ts";
import { Composer } from "./composer.tsx";
import { MemoryItem } from "./memory-item.tsx";

type View =
  | { state: "loading" }
  | { state: "failed"; problem: string }
  | { state: "list"; items: Memory[]; next: string | undefined }
  | { state: "found"; items: Memory[]; query: string };

/** The page's whole content: store, search, list, delete. */
export function Memories() {
  const [view, setView] = useState<View>({ state: "loading" });
  const [query, setQuery] = useState("");
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState("");
  const heading = useRef<HTMLHeadingElement>(null);

  const guarded = useCallback(async (work: () => Promise<void>, failed: (message: string) => void) => {
    try {
      await work();
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) return window.location.assign("/sign-in?expired=1");
      failed(error instanceof Error ? error.message : String(error));
    }
  }, []);

  const loadAll = useCallback(
    () =>
      guarded(
        async () => {
          const { items, cursor: next } = await listMemories();
          setView({ state: "list", items, next: next ?? undefined });
        },
        (message) => setView({ state: "failed", problem: message }),
      ),
    [guarded],
  );

  useEffect(() => {
    void loadAll();
  }, [loadAll]);

  async function search(event: FormEvent) {
    event.preventDefault();
    setProblem("");
    const wanted = query.trim();
    if (!wanted) return showAll();
    setView({ state: "loading" });
    await guarded(
      async () => {
        const { items } = await searchMemories(wanted);
        setView({ state: "found", items, query: wanted });
        setSaid(items.length === 0 ? `Nothing found for ${wanted}` : `${count(items.length)} found for ${wanted}`);
      },
      (message) => setView({ state: "failed", problem: message }),
    );
  }

  async function showAll() {
    setQuery("");
    setSaid("Showing all memories");
    setView({ state: "loading" });
    await loadAll();
  }

  async function more(cursor: string) {
    await guarded(async () => {
      const { items, cursor: next } = await listMemories(cursor);
      setView((now) =>
        now.state === "list" ? { ...now, items: [...now.items, ...items], next: next ?? undefined } : now,
      );
      setSaid(`${count(items.length)} more shown`);
    }, setProblem);
  }

  /** Whether it was stored: if not, the composer keeps the text. */
  async function store(text: string): Promise<boolean> {
    let stored = false;
    setProblem("");
    await guarded(async () => {
      const memory = await storeMemory(text);
      stored = true;
      setSaid("Memory stored");
      if (view.state === "list") setView({ ...view, items: [memory, ...view.items] });
      else {
        setQuery("");
        await loadAll();
      }
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
      setView((now) => ("items" in now ? { ...now, items: now.items.filter((item) => item.id !== memory.id) } : now));
      setSaid("Memory deleted");
      heading.current?.focus();
    }, setProblem);
  }

  return (
    <>
      <h1 className="page-title">Memories</h1>
      <p className="lead">Write down what you want to keep. Ask for it later in your own words.</p>
      <Composer onStore={store} />
      {problem ? (
        <p className="problem" role="alert">
          {problem}
        </p>
      ) : null}
      <search>
        <form className="search" onSubmit={search}>
          <label htmlFor="search">Search your memories</label>
          <div className="search-row">
            <input
              id="search"
              type="search"
              value={query}
              maxLength={500}
              placeholder="Where was that bakery?"
              enterKeyHint="search"
              onChange={(event) => setQuery(event.target.value)}
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
            <button className="button quiet" type="button" onClick={showAll}>
              Show all
            </button>
          ) : "items" in view && view.items.length > 0 ? (
            <span className="tally">{`${view.items.length}${view.next ? "+" : ""}`}</span>
          ) : null}
        </div>
        <List view={view} onRemove={remove} onMore={more} onRetry={showAll} />
      </section>
      <p className="unseen" role="status" aria-live="polite">
        {said}
      </p>
    </>
  );
}

type ListProps = {
  view: View;
  onRemove: (memory: Memory) => Promise<void>;
  onMore: (cursor: string) => Promise<void>;
  onRetry: () => Promise<void>;
};

function List({ view, onRemove, onMore, onRetry }: ListProps) {
  if (view.state === "loading") return <Skeleton />;
  if (view.state === "failed") {
    return (
      <div className="empty" role="alert">
        <p className="empty-title">Your memories could not be loaded</p>
        <p>{view.problem}</p>
        <button className="button" type="button" onClick={onRetry}>
          Try again
        </button>
      </div>
    );
  }
  if (view.items.length === 0) return <Empty found={view.state === "found"} />;
  return (
    <>
      <ul className="list">
        {view.items.map((memory) => (
          <MemoryItem key={memory.id} memory={memory} onRemove={onRemove} />
        ))}
      </ul>
      {view.state === "list" && view.next ? (
        <button className="button wide" type="button" onClick={() => onMore(view.next ?? "")}>
          Show more
        </button>
      ) : null}
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
    <div className="list" aria-hidden="true">
      {["a", "b", "c"].map((key) => (
        <div className="memory ghost" key={key}>
          <span />
          <span />
        </div>
      ))}
    </div>
  );
}

function count(items: number): string {
  return items === 1 ? "1 memory" : `${items} memories`;
}
