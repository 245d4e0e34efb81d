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
