/** Asks one store whether it can serve; throws, or takes too long, when it cannot. */
export type Check = (signal: AbortSignal) => Promise<unknown>;
export type Checks = Readonly<Record<string, Check>>;

export interface Readiness {
  readonly status: "ok" | "unavailable";
  readonly checks: Readonly<Record<string, string>>;
}

/** Milliseconds that one store has to answer. */
export const timeout = 2_000;

/**
 * Asks every store at once.
 *
 * `needed` are those that no request can do without; they decide. `shown` are told with them and decide nothing: a store
 * that requests get along without would else withdraw every pod at the same moment.
 */
export async function readiness(needed: Checks, shown: Checks = {}): Promise<Readiness> {
  const answers = await Promise.all(
    Object.entries({ ...needed, ...shown }).map(async ([name, check]) => [name, await ask(check)] as const),
  );
  const ready = answers.every(([name, answer]) => answer === "ok" || !(name in needed));
  return { status: ready ? "ok" : "unavailable", checks: Object.fromEntries(answers) };
}

async function ask(check: Check): Promise<string> {
  const deadline = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`no answer within ${timeout / 1000} s`));
    deadline.abort();
  }, timeout);
  try {
    await Promise.race([check(deadline.signal), late.promise]);
    return "ok";
  } catch (error) {
    return `error: ${reason(error)}`;
  } finally {
    clearTimeout(timer);
  }
}

/** The innermost cause in one line: the layers above only say which statement it was, with its parameters. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return reason(error.cause);
  // Connecting to a name with several addresses fails with one error each.
  if (error instanceof AggregateError && error.errors.length > 0) return reason(error.errors[0]);
  return error.message.split("\n", 1)[0] || error.name;
}
