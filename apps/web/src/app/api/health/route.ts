import { live } from "@nextai/web-kit/health";
import { SERVICE } from "../../../server/config.ts";

export const dynamic = "force-dynamic";

export const GET = (): Response => live(SERVICE);
