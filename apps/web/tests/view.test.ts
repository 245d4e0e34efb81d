import { describe, expect, test } from "vitest";
import type { Memory } from "../src/session/memories.ts";
import { type Action, next, type State, start } from "../src/session/view.ts";

const [bakery, cake, train, canal] = ["bakery", "cake", "train", "canal"].map((id) => ({
  id,
  text: id,
  createdAt: "2026-11-25T12:00:00Z",
})) as [Memory, Memory, Memory, Memory];

function after(state: State, ...actions: Action[]): State {
  return actions.reduce(next, state);
}

function answered(to: State, items: Memory[], cursor?: string): Action {
  return { type: "answered", question: to.question, items, cursor };
}

/** The whole list on the page. */
function listed(items: Memory[], cursor?: string): State {
  return after(start, answered(start, items, cursor));
}

function shown(state: State): string[] | string {
  return "items" in state.view ? state.view.items.map(({ id }) => id) : state.view.state;
}

const asked = (query: string): Action => ({ type: "asked", query });
const removed = (id: string): Action => ({ type: "removed", id });
const stored = (memory: Memory, began: State): Action => ({ type: "stored", memory, question: began.question });
const continued = (from: string, items: Memory[], cursor?: string): Action => ({
  type: "continued",
  from,
  items,
  cursor,
});

describe("while a memory is being stored", () => {
  test("one that is deleted stays deleted", () => {
    const began = listed([cake, train]);
    expect(shown(after(began, removed("cake"), stored(bakery, began)))).toEqual(["bakery", "train"]);
  });

  test("more that are shown stay shown", () => {
    const began = listed([cake], "2");
    const state = after(began, continued("2", [train]), stored(bakery, began));
    expect(shown(state)).toEqual(["bakery", "cake", "train"]);
    expect(state.view).not.toHaveProperty("cursor", "2");
  });

  test("a search stays, whether it is answered before or after", () => {
    const began = listed([cake, train]);
    const searching = after(began, asked("trains"));
    for (const state of [
      after(searching, answered(searching, [train]), stored(bakery, began)),
      after(searching, stored(bakery, began), answered(searching, [train])),
    ]) {
      expect(state.view).toEqual({ state: "found", items: [train], query: "trains" });
      expect(state.typed).toBe(began.typed);
    }
  });

  test("a list that was asked for before it was stored is asked for again", () => {
    const state = after(start, stored(bakery, start));
    expect(state.question).not.toBe(start.question);
    const late = after(state, answered(start, [cake]));
    expect(shown(late)).toBe("loading");
    expect(shown(after(late, answered(late, [bakery, cake])))).toEqual(["bakery", "cake"]);
  });

  test("it is shown once, though the list has it already", () => {
    const began = listed([cake]);
    const again = after(began, asked(""));
    expect(shown(after(again, answered(again, [bakery, cake]), stored(bakery, began)))).toEqual(["bakery", "cake"]);
  });

  test("results that were there before give way to the list with it, and what is being typed stays", () => {
    const searching = after(listed([cake]), { type: "typed", text: "trains " }, asked("trains"));
    const found = after(searching, answered(searching, [train]));
    const state = after(found, stored(bakery, found));
    expect([shown(state), state.question.query, state.typed]).toEqual(["loading", "", ""]);
    expect(after(found, { type: "typed", text: "tra" }, stored(bakery, found)).typed).toBe("tra");
  });
});

describe("an answer", () => {
  test("to an earlier question is left aside, in whatever order answers come", () => {
    const first = after(start, asked("cake"));
    const second = after(first, asked("train"));
    const late = after(second, answered(second, [train]), answered(first, [cake]));
    const early = after(second, answered(first, [cake]), answered(second, [train]));
    for (const state of [late, early]) {
      expect(state.view).toEqual({ state: "found", items: [train], query: "train" });
      expect(state.said).toBe("1 memory found for train");
    }
  });

  test("to an earlier question may fail without a word", () => {
    const first = after(start, asked("cake"));
    const second = after(first, asked("train"));
    const state = after(second, { type: "failed", question: first.question, problem: "offline" });
    expect(shown(state)).toBe("loading");
    expect(shown(after(state, { type: "failed", question: second.question, problem: "offline" }))).toBe("failed");
  });

  test("to the same words asked twice is that of the second time", () => {
    const first = after(start, asked("cake"));
    const second = after(first, asked("cake"));
    expect(shown(after(second, answered(first, [cake])))).toBe("loading");
  });

  test("that failed is asked for again in the same words, whatever is typed by then", () => {
    const searching = after(listed([cake]), asked("cake"));
    const failed = after(searching, { type: "failed", question: searching.question, problem: "offline" });
    const again = after(failed, { type: "typed", text: "trains" }, { type: "retried" });
    expect([shown(again), again.question.query, again.typed]).toEqual(["loading", "cake", "trains"]);
    expect(again.question).not.toBe(searching.question);
  });

  test("has nothing that was deleted since it was asked for", () => {
    const began = listed([cake, train], "2");
    const searching = after(began, asked("cake"), removed("cake"));
    expect(shown(after(searching, answered(searching, [cake, train])))).toEqual(["train"]);
    expect(shown(after(began, removed("canal"), continued("2", [canal])))).toEqual(["cake", "train"]);
  });
});

describe("more memories", () => {
  test("that are asked for twice are shown once", () => {
    const once = after(listed([cake], "2"), continued("2", [train], "3"), continued("3", [canal]));
    expect(once.view).toEqual({ state: "list", items: [cake, train, canal], cursor: undefined });
    expect(after(once, continued("2", [train], "3"))).toBe(once);
  });

  test("come to the list that they continue, and to no other", () => {
    const searching = after(listed([cake], "2"), asked("cake"));
    const found = after(searching, answered(searching, [cake]), continued("2", [train]));
    expect(shown(found)).toEqual(["cake"]);
  });
});

test("what is said differs from what was said before, or nobody would hear it", () => {
  const said: string[] = [];
  let state = listed([bakery, cake, train]);
  for (const id of ["bakery", "cake", "train"]) {
    state = after(state, removed(id));
    said.push(state.said);
  }
  expect(said.map((text) => text.trim())).toEqual(Array(3).fill("Memory deleted"));
  expect(said[1]).not.toBe(said[0]);
  expect(said[2]).not.toBe(said[1]);
});
