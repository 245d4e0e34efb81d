import { request } from "node:http";
import type { Contract } from "@nextai/contract";

/**
 * Asks the service in this container whether it is well, with no shell and no curl, and exits with 0 or 1.
 * The path is the first argument: `node dist/healthcheck.js /health/ready`.
 */
export function healthcheck(contract: Contract): void {
  const path = process.argv[2] ?? "/health";
  const port = Number(process.env.PORT || contract.port);
  request({ host: "127.0.0.1", port, path, signal: AbortSignal.timeout(5_000) }, (response) => {
    const status = response.statusCode ?? 0;
    finish(status >= 200 && status < 300 ? null : `${path} answered ${status}`);
  })
    .on("error", (error) => finish(error.name === "AbortError" ? `${path} did not answer within 5 s` : error.message))
    .end();
}

function finish(problem: string | null): never {
  if (problem !== null) process.stderr.write(`healthcheck: ${problem}\n`);
  process.exit(problem === null ? 0 : 1);
}
