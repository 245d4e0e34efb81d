/** What the API answered in place of what was asked for. */
export type Problem = {
  code: string;
  /** Which fields of the form it is about. */
  fields?: readonly string[] | undefined;
  /** Seconds until it is worth trying again. */
  wait?: number | undefined;
};

const MESSAGES = new Map([
  ["invalid_credentials", "That email and password do not belong together. Please try again."],
  ["email_taken", "There is an account with this email already. Sign in instead?"],
  ["validation", "Please check what you typed."],
  ["busy", "Many people are signing in just now. Please try again in a few seconds."],
  ["unavailable", "The service is not available right now. Please try again in a moment."],
  ["upstream_unavailable", "We cannot reach the service right now. Please try again in a moment."],
  ["upstream_timeout", "The service took too long to answer. Please try again."],
  ["gateway_unreachable", "We cannot reach the service right now. Please try again in a moment."],
  ["gateway_timeout", "The service took too long to answer. Please try again."],
  ["foreign_origin", "This request came from another site, and was not carried out."],
]);

// The rules of user-service (services/user-service/src/routes.ts).
const RULES = new Map([
  ["name", "The name must be one line of at most 100 characters."],
  ["email", "The email must be a whole email address, such as mira@example.com."],
  ["password", "The password must have 8 to 256 characters."],
]);

/** What a person reads. Nothing of it comes from the answer but a number, since a form's answer goes through an address. */
export function messageFor({ code, fields = [], wait }: Problem): string {
  if (code === "too_many_attempts") {
    return `Too many attempts. Please try again in ${wait ? duration(wait) : "a few minutes"}.`;
  }
  if (code === "rate_limited") {
    return `That was a lot at once. Please try again in ${wait ? duration(wait) : "a moment"}.`;
  }
  const rules = code === "validation" ? fields.flatMap((field) => RULES.get(field) ?? []) : [];
  if (rules.length > 0) return [...new Set(rules)].join(" ");
  return MESSAGES.get(code) ?? "Something went wrong. Please try again.";
}

/** The problem in an answer of 400 or above. */
export async function problemOf(answer: Response): Promise<Problem> {
  const body = (await answer.json().catch(() => undefined)) as ErrorBody | undefined;
  const fields = (body?.error?.fields ?? []).flatMap(({ field }) => (typeof field === "string" ? [field] : []));
  return { code: body?.error?.code ?? "failed", fields, wait: waitOf(answer.headers.get("retry-after")) };
}

type ErrorBody = { error?: { code?: string; fields?: { field?: unknown }[] } };

/** Seconds in a Retry-After header (RFC 9110 section 10.2.3); its other form, a date, is sent by none of the services. */
export function waitOf(text: string | null): number | undefined {
  return text && /^\d{1,6}$/.test(text) ? Number(text) : undefined;
}

/** Rounded up: who waits that long is let in. */
function duration(seconds: number): string {
  const [amount, unit] = seconds < 60 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${amount} ${unit}${amount === 1 ? "" : "s"}`;
}
