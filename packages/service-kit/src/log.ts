import pino, { type DestinationStream, type Logger } from "pino";
import type { LogFormat, LogLevel } from "./config.ts";

export type { Logger } from "pino";

export interface LogOptions {
  readonly service: string;
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; standard output unless a test listens. */
  readonly destination?: DestinationStream;
}

/** A logger that writes one line an event, with the keys time, level, msg, service and, in a request, requestId. */
export function createLog({ service, level, format, destination }: LogOptions): Logger {
  // Written synchronously: what was logged last before an exit is what one looks for.
  const output = destination ?? pino.destination({ dest: 1, sync: true });
  return pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
      redact: { paths: ["password", "accessToken", "refreshToken", "authorization", "cookie"], censor: "***" },
    },
    format === "json" ? output : { write: (line: string) => output.write(asText(line)) },
  );
}

interface ErrorDescription {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: ErrorDescription;
}

/**
 * What of an error may be logged.
 *
 * An error of the database layer repeats the statement's parameters in its message (`query` and `params` are its marks),
 * and the server's `detail` repeats the row: people's data, hashes and tokens. The cause beneath says what went wrong.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const parametersInside = "params" in error && "query" in error;
  const code = "code" in error && typeof error.code === "string" ? { code: error.code } : {};
  const cause = error.cause === undefined ? {} : { cause: describeError(error.cause) };
  if (parametersInside) return { type: error.name, message: "the statement failed", ...code, ...cause };
  return { type: error.name, message: error.message, ...code, stack: error.stack ?? "", ...cause };
}

/** A JSON line as a person reads it: time, level, message, then what else there is; one line as well. */
function asText(line: string): string {
  const { time, level, msg, service, ...rest } = JSON.parse(line) as Record<string, unknown>;
  const clock = String(time).slice(11, 23);
  const extra = Object.entries(rest).map(
    ([key, value]) => ` ${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  const text = `${clock} ${String(level).toUpperCase().padEnd(5)} ${service}: ${msg ?? ""}${extra.join("")}`;
  return `${text.replaceAll("\r", "\\r").replaceAll("\n", "\\n")}\n`;
}
