import { healthcheck } from "@nextai/service-kit/healthcheck";
import contract from "../contract.json" with { type: "json" };

healthcheck(contract);
