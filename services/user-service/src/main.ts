import { runService } from "@nextai/service-kit";
import contract from "../contract.json" with { type: "json" };
import { assemble } from "./assemble.ts";
import { pick } from "./config.ts";

await runService(contract, pick, (config, log) => assemble(config, log));
