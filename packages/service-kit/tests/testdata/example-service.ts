// A service with one slow route, run as a process of its own by process.test.ts.
import { setTimeout as wait } from "node:timers/promises";
import { contractWith, variable } from "@nextai/contract/testing";
import { createServer, runService } from "../../src/index.ts";

const contract = contractWith(variable("KEY", { required: true, secret: true }));

await runService(
  contract,
  (read) => ({ key: read.secret("KEY") }),
  (_config, log) => {
    const server = createServer({ service: contract.service, log, checks: {} });
    server.get("/slow", async () => {
      log.info("slow request begun");
      await wait(700);
      return { done: true };
    });
    server.get("/crash", async () => {
      setImmediate(() => {
        throw new Error("unexpected");
      });
      return {};
    });
    return { server, close: async () => log.info("stores closed") };
  },
);
