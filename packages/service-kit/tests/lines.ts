import { createLog, type Logger } from "../src/index.ts";

/** A logger whose lines a test can look at. */
export function recordedLog(format: "json" | "text" = "json"): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  const log = createLog({
    service: "example-service",
    level: "debug",
    format,
    destination: { write: (line) => lines.push(line) },
  });
  return { log, lines };
}
