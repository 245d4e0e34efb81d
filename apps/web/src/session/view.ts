// What the memories page shows, and how it changes. Answers come in any order, and a person goes on in between: each
// change is made to what is there when it happens.
import type { Memory } from "./memories.ts";

export type View =
  | { state: "loading" }
  | { state: "failed"; problem: string }
  | { state: "list"; items: Memory[]; cursor: string | undefined }
  | { state: "found"; items: Memory[]; query: string };

/** What the API is asked: all memories where `query` is empty. Each is an object of its own, even for the same words. */
export type Question = { readonly query: string };

export type State = {
  view: View;
  question: Question;
  /** What the search field holds. */
  typed: string;
  /** What a screen reader is to say. */
  said: string;
  /** Ids of deleted memories: an answer under way may still have them. */
  gone: readonly string[];
};

export type Action =
  | { type: "typed"; text: string }
  | { type: "asked"; query: string }
  /** What was asked last is asked again. */
  | { type: "retried" }
  | { type: "answered"; question: Question; items: Memory[]; cursor: string | undefined }
  | { type: "failed"; question: Question; problem: string }
  /** The list goes on after the cursor `from`. */
  | { type: "continued"; from: string; items: Memory[]; cursor: string | undefined }
  /** `question` is what had been asked when storing began. */
  | { type: "stored"; memory: Memory; question: Question }
  | { type: "removed"; id: string };

export const start: State = { view: { state: "loading" }, question: { query: "" }, typed: "", said: "", gone: [] };

/** The page after one thing has happened. */
export function next(state: State, action: Action): State {
  switch (action.type) {
    case "typed":
      return { ...state, typed: action.text };
    case "asked":
      return action.query ? ask(state, action.query) : say({ ...ask(state, ""), typed: "" }, "Showing all memories");
    case "retried":
      return ask(state, state.question.query);
    case "answered":
      return awaits(state, action.question) ? answer(state, action.items, action.cursor) : state;
    case "failed":
      return awaits(state, action.question) ? { ...state, view: { state: "failed", problem: action.problem } } : state;
    case "continued":
      return goOn(state, action.from, action.items, action.cursor);
    case "stored":
      return store(say(state, "Memory stored"), action.memory, action.question);
    case "removed":
      return remove(say(state, "Memory deleted"), action.id);
  }
}

function ask(state: State, query: string): State {
  return { ...state, question: { query }, view: { state: "loading" } };
}

function awaits(state: State, question: Question): boolean {
  return state.view.state === "loading" && state.question === question;
}

function answer(state: State, all: Memory[], cursor: string | undefined): State {
  const { query } = state.question;
  const items = without(all, state.gone);
  if (!query) return { ...state, view: { state: "list", items, cursor } };
  const found = items.length === 0 ? "Nothing" : count(items.length);
  return say({ ...state, view: { state: "found", items, query } }, `${found} found for ${query}`);
}

function goOn(state: State, from: string, items: Memory[], cursor: string | undefined): State {
  const { view } = state;
  if (view.state !== "list" || view.cursor !== from) return state;
  const more = without(items, [...state.gone, ...view.items.map(({ id }) => id)]);
  return say(
    { ...state, view: { ...view, items: [...view.items, ...more], cursor } },
    `${count(more.length)} more shown`,
  );
}

/** Into the list; results of a search make way for it, unless the search was begun after the storing. */
function store(state: State, memory: Memory, question: Question): State {
  const { view } = state;
  if (view.state === "list") {
    return { ...state, view: { ...view, items: [memory, ...without(view.items, [memory.id])] } };
  }
  if (state.question !== question && state.question.query) return state;
  const typed = state.typed.trim() === state.question.query ? "" : state.typed;
  return { ...ask(state, ""), typed };
}

function remove(state: State, id: string): State {
  const { view } = state;
  const gone = [...state.gone, id];
  return "items" in view ? { ...state, gone, view: { ...view, items: without(view.items, [id]) } } : { ...state, gone };
}

/** A live region that gets the same text again is silent; a no-break space makes it another text, and is not read out. */
function say(state: State, text: string): State {
  return { ...state, said: text === state.said ? `${text}\u00a0` : text };
}

function without(items: Memory[], ids: readonly string[]): Memory[] {
  return items.filter(({ id }) => !ids.includes(id));
}

function count(items: number): string {
  return items === 1 ? "1 memory" : `${items} memories`;
}
