import { asText, type LogFormat, type LogLevel } from "@nextai/contract";
import pino, { type DestinationStream, type Logger } from "pino";

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
      formatters: { level: (label) => ({ level: label }), log: withError },
      redact: { paths: ["password", "accessToken", "refreshToken", "authorization", "cookie"], censor: "***" },
    },
    format === "json" ? output : { write: (line: string) => output.write(textLine(line)) },
  );
}

interface ErrorDescription {
  /** Its message, and those of its causes. */
  readonly error: string;
  readonly code?: string;
  readonly stack?: string;
}

/**
 * What of an error may be logged, under the keys that every stack gives it (packages/contract/README.md).
 *
 * An error of the database layer repeats the statement's parameters in its message (`query` and `params` are its marks),
 * and the server's `detail` repeats the row: people's data, hashes and tokens. The cause beneath says what went wrong.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof Error)) return { error: String(error) };
  const parametersInside = "params" in error && "query" in error;
  const beneath = error.cause === undefined ? undefined : describeError(error.cause);
  const code = "code" in error && typeof error.code === "string" ? error.code : beneath?.code;
  const stack = parametersInside ? beneath?.stack : error.stack;
  const said = parametersInside ? "the statement failed" : `${error.name}: ${error.message}`;
  return {
    error: beneath === undefined ? said : `${said}: ${beneath.error}`,
    ...(code === undefined ? {} : { code }),
    ...(stack === undefined ? {} : { stack }),
  };
}

function withError({ err, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return err === undefined ? rest : { ...rest, ...describeError(err) };
}

/** A JSON line as text, the form that every stack gives to it. */
function textLine(line: string): string {
  const pairs = Object.entries(JSON.parse(line) as Record<string, unknown>);
  // pino writes the message last.
  const first = ["time", "level", "msg", "service"];
  const rank = (key: string): number => (first.indexOf(key) + 1 || first.length + 1) - 1;
  return `${asText(Object.fromEntries(pairs.sort(([one], [other]) => rank(one) - rank(other))))}\n`;
}
