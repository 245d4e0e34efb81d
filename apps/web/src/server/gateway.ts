// The one place that calls the gateway.
import { limits } from "@nextai/web-kit/limits";

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
  /** When to give up; by default what a page waits for an answer. */
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
      signal: call.signal ?? AbortSignal.timeout(limits.pageMs),
    });
  } catch (error) {
    throw new GatewayError(error);
  }
}
