const MESSAGES: Record<string, string> = {
  invalid_credentials: "That email and password do not belong together. Please try again.",
  email_taken: "There is an account with this email already. Sign in instead?",
  validation: "Please check what you typed.",
  rate_limited: "That was a lot at once. Please wait a moment and try again.",
  gateway_unreachable: "We cannot reach the service right now. Please try again in a moment.",
  gateway_timeout: "The service took too long to answer. Please try again.",
  foreign_origin: "This request came from another site, and was not carried out.",
};

/** What a person reads for an error code; what the service said, where it is about their input. */
export function messageFor(code: string, said?: string): string {
  if (code === "validation" && said) return said;
  return MESSAGES[code] ?? "Something went wrong. Please try again.";
}
