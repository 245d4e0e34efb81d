// What the memories page asks of the API, at this very origin.

export type Memory = { id: string; text: string; createdAt: string; score?: number };
export type MemoryList = { items: Memory[]; cursor?: string | null };

/** What a person is told where the API wants a sign-in. */
export const SESSION_OVER = "Your session is over.";

/** The API said no. `message` is for the person. */
export class ApiProblem extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const PAGE_SIZE = 50;

export function listMemories(cursor?: string): Promise<MemoryList> {
  return ask(`/api/memories?${new URLSearchParams({ limit: String(PAGE_SIZE), ...(cursor ? { cursor } : {}) })}`);
}

export function searchMemories(q: string): Promise<MemoryList> {
  return ask(`/api/memories/search?${new URLSearchParams({ q, limit: "10" })}`);
}

export function storeMemory(text: string): Promise<Memory> {
  return ask("/api/memories", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text }),
  });
}

export async function deleteMemory(id: string): Promise<void> {
  await ask(`/api/memories/${encodeURIComponent(id)}`, { method: "DELETE" });
}

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new ApiProblem(0, "You seem to be offline. Please try again.");
  }
  if (answer.status === 204) return undefined as T;
  const body: unknown = await answer.json().catch(() => undefined);
  if (answer.ok) return body as T;
  if (answer.status === 401) throw new ApiProblem(401, SESSION_OVER);
  throw new ApiProblem(answer.status, said(body) ?? "Something went wrong. Please try again.");
}

function said(body: unknown): string | undefined {
  const error = (body as { error?: { code?: string; message?: string } } | undefined)?.error;
  return error?.message;
}
