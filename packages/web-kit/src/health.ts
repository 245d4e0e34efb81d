import { VERSION } from "./config.ts";

/** Says that this process answers; asks nobody else. */
export function live(service: string): Response {
  return Response.json({ status: "ok", service, version: VERSION }, { headers: { "Cache-Control": "no-store" } });
}
