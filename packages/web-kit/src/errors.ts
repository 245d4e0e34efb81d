import { requestId } from "./requests.ts";

export { codes } from "./codes.ts";

/** The error body of the whole platform. */
export function errorResponse(request: Request, status: number, code: string, message: string): Response {
  const id = requestId(request.headers.get("x-request-id"));
  return Response.json(
    { error: { code, message, requestId: id } },
    { status, headers: { "Cache-Control": "no-store", "X-Request-Id": id } },
  );
}
