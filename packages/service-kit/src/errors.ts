/** An answer that is not what the client hoped for, with the code that its program goes by. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

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
