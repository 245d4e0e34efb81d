import { limits } from "@nextai/contract";
import { describeError } from "./log.ts";
import { Silent } from "./silent.ts";

/** Asks one store whether it can serve; throws, or takes too long, when it cannot. */
export type Check = (signal: AbortSignal) => Promise<unknown>;
export type Checks = Readonly<Record<string, Check>>;

export interface Readiness {
  readonly status: "ok" | "unavailable";
  readonly checks: Readonly<Record<string, string>>;
}

/** Takes the reason of a store that does not answer well. */
export interface ReadinessLog {
  warn(fields: object, message: string): void;
}

/**
 * Asks every store at once.
 *
 * `needed` are those that no request can do without; they decide. `shown` are told with them and decide nothing: a store
 * that requests get along without would else withdraw every pod at the same moment.
 */
export async function readiness(log: ReadinessLog, needed: Checks, shown: Checks = {}): Promise<Readiness> {
  const answers = await Promise.all(
    Object.entries({ ...needed, ...shown }).map(async ([name, check]) => {
      return [
        name,
        await ask(check, (reason) => log.warn({ store: name, ...reason }, "a store does not answer")),
      ] as const;
    }),
  );
  const ready = answers.every(([name, answer]) => answer === "ok" || !(name in needed));
  return { status: ready ? "ok" : "unavailable", checks: Object.fromEntries(answers) };
}

/** What one store said, without its own words: they may name addresses and users, and anybody may ask for readiness. */
async function ask(check: Check, failed: (reason: object) => void): Promise<string> {
  const deadline = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Silent("it", limits.readinessMs));
    deadline.abort();
  }, limits.readinessMs);
  try {
    await Promise.race([check(deadline.signal), late.promise]);
    return "ok";
  } catch (error) {
    failed(describeError(error));
    return `error: ${error instanceof Silent ? error.told : "failed (the log says why)"}`;
  } finally {
    clearTimeout(timer);
  }
}
