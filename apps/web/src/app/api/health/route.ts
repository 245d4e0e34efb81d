import { VERSION } from "@nextai/web-kit/config";
import { SERVICE } from "../../../server/config.ts";

export const dynamic = "force-dynamic";

/** Says that this process answers; asks nobody else. */
export function GET(): Response {
  return Response.json(
    { status: "ok", service: SERVICE, version: VERSION },
    { headers: { "Cache-Control": "no-store" } },
  );
}
