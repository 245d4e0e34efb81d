import { healthcheck } from "@nextai/web-kit/healthcheck";
import contract from "./contract.json" with { type: "json" };

await healthcheck(contract);
