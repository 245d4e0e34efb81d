// The one place that calls the gateway.

/**
 * The longest that a page waits, in milliseconds, from its request to the last byte of the answer, whatever has to be asked of
 * the gateway for it. The gateway gives up before (8 s), a service before that (6 s).
 */
export const UPSTREAM_TIMEOUT = 10_000;

/** The gateway gave no answer. `status` and `code` are what the caller is told. */
export class GatewayError extends Error {
  readonly status: 502 | 504;
  readonly code: string;

  constructor(cause: unknown) {
    const late = cause instanceof DOMException && cause.name === "TimeoutError";
    super(late ? "The service took too long to answer." : "The service cannot be reached right now.", { cause });
    this.status = late ? 504 : 502;
    this.code = late ? "gateway_timeout" : "gateway_unreachable";
  }
}

export type Call = {
  method: string;
  headers: Headers;
  body?: ArrayBuffer | string | undefined;
  /** When to give up; by default UPSTREAM_TIMEOUT from now. */
  signal?: AbortSignal | undefined;
};

/** Calls the gateway once. Redirects are handed back. Throws `GatewayError` when it does not answer. */
export async function callGateway(url: string, call: Call): Promise<Response> {
  // An encoding would have to be undone and done again; between two servers of one cluster it saves nothing.
  call.headers.set("accept-encoding", "identity");
  try {
    return await fetch(url, {
      method: call.method,
      headers: call.headers,
      body: call.body ?? null,
      redirect: "manual",
      cache: "no-store",
      signal: call.signal ?? AbortSignal.timeout(UPSTREAM_TIMEOUT),
    });
  } catch (error) {
    throw new GatewayError(error);
  }
}
