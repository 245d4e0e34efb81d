/** The codes of statuses that mean the same wherever they come from (packages/contract). */
export const codes = {
  400: "bad_request",
  404: "not_found",
  405: "method_not_allowed",
  408: "request_timeout",
  413: "payload_too_large",
  415: "unsupported_media_type",
  422: "validation",
  500: "internal_error",
  503: "unavailable",
} as const;

/** The code of a status; of one that has none of its own, that of a request which cannot be understood. */
export function codeOf(status: number): string {
  return status in codes ? codes[status as keyof typeof codes] : codes[400];
}

/** Which part of the request was wrong, and why. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** The body of every answer of 400 and above. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly requestId: string;
    readonly fields?: readonly FieldProblem[];
  };
}

/** What is unavailable says when to come again, in seconds. */
export function retryAfter(status: number): Readonly<Record<string, string>> {
  return status === 503 ? { "retry-after": "1" } : {};
}
