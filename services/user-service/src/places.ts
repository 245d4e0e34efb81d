import { ApiError } from "@nextai/service-kit";

/**
 * Sign-ins and sign-ups that one client, or all clients at one account, may have under way on one pod. 19 passwords fill
 * a pod's queue (passwords.ts), far fewer than the counts let through (attempts.ts): without this one client could keep
 * everybody else out.
 */
export const mostAtOnce = 4;

const taken = new Map<string, number>();

/** Does the work while it holds a place for each of the names. Throws TooManyAtOnce when one of them has as many as it may. */
export async function withPlaces<T>(names: readonly string[], work: () => Promise<T>): Promise<T> {
  if (names.some((name) => (taken.get(name) ?? 0) >= mostAtOnce)) throw new TooManyAtOnce();
  for (const name of names) taken.set(name, (taken.get(name) ?? 0) + 1);
  try {
    return await work();
  } finally {
    for (const name of names) {
      const left = (taken.get(name) ?? 0) - 1;
      if (left > 0) taken.set(name, left);
      else taken.delete(name);
    }
  }
}

/** The client, or the account that it asks for, has as many sign-ins under way as it may. */
export class TooManyAtOnce extends ApiError {
  constructor() {
    super(429, "too_many_attempts", "Too many attempts at once. Try again in a few seconds.", { "retry-after": "5" });
  }
}
