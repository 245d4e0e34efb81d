import { contractWith } from "@nextai/contract/testing";
import { healthcheck } from "../../src/healthcheck.ts";

healthcheck(contractWith());
