import { healthcheck } from "../../src/healthcheck.ts";
import { contractWith } from "../contract.ts";

healthcheck(contractWith());
