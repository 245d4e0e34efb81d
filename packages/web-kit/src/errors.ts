import { codeOf, requestId, retryAfter } from "@nextai/contract";

/** The error body of the whole platform, with the code of its status where it has none of its own. */
export function errorResponse(request: Request, status: number, message: string, code = codeOf(status)): Response {
  const id = requestId(request.headers.get("x-request-id"));
  return Response.json(
    { error: { code, message, requestId: id } },
    { status, headers: { "Cache-Control": "no-store", "X-Request-Id": id, ...retryAfter(status) } },
  );
}
