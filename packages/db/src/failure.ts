const network = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ETIMEDOUT",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);
// https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exceptions (08), shutting down or starting
// (57P01 to 57P03), too many connections (53300), password not accepted (28P01, 28000: a rotated secret), and what took too
// long: a statement (57014), or the pause between two of a transaction (25P03).
const server = /^(08|57P0|57014|25P03|53300|28P01|28000)/;
// pg gives these errors no code.
const messages =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout|Client has encountered a connection error|Client was closed/i;

/** Whether a statement failed since PostgreSQL cannot be reached, rather than by what it says. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  if (code !== null && (network.has(code) || server.test(code))) return true;
  if (messages.test(error.message) && !("query" in error)) return true;
  if (error instanceof AggregateError && error.errors.some(isUnavailable)) return true;
  return isUnavailable(error.cause);
}

/** The unique index that an insert or update ran into, or null when it failed otherwise. */
export function uniqueViolation(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if (codeOf(error) === "23505" && "constraint" in error) return String(error.constraint);
  return uniqueViolation(error.cause);
}

function codeOf(error: Error): string | null {
  return "code" in error && typeof error.code === "string" ? error.code : null;
}
