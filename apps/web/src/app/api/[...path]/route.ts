import { handleApi } from "../../../server/api.ts";
import { config } from "../../../server/config.ts";

export const dynamic = "force-dynamic";

async function handle(request: Request): Promise<Response> {
  return handleApi(config(), request);
}

export {
  handle as DELETE,
  handle as GET,
  handle as HEAD,
  handle as OPTIONS,
  handle as PATCH,
  handle as POST,
  handle as PUT,
};
