import { config } from "../../../../server/config.ts";
import { handleSession } from "../../../../server/session.ts";

export async function POST(request: Request, context: { params: Promise<{ action: string }> }): Promise<Response> {
  return handleSession(config(), (await context.params).action, request);
}
