import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";

export { type Gate, openGate } from "./gate.ts";

/** A program under test, with what it has written so far. */
export interface Program {
  readonly child: ChildProcess;
  /** Resolves with the program's whole output once it has a match; rejects when the program ends without. */
  waitFor(pattern: RegExp): Promise<string>;
  /** Resolves with the exit code and the whole output once the program has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Runs a file by Node.js with this environment and nothing else in it. */
export function runNode(args: readonly string[], env: Readonly<Record<string, string>>): Program {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const listeners = new Set<() => void>();
  const hear = (data: Buffer): void => {
    output += data;
    for (const listener of listeners) listener();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const ended = new Promise<{ code: number | null; output: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, output }));
  });
  const waitFor = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!pattern.test(output)) return;
        listeners.delete(look);
        resolve(output);
      };
      listeners.add(look);
      look();
      void ended.then(({ code }) => reject(new Error(`ended with ${code} before ${pattern}: ${output}`)));
    });
  return { child, waitFor, ended };
}

/** A port that nothing listened on a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
      .once("error", reject)
      .listen(0, "127.0.0.1", () => {
        const { port } = server.address() as { port: number };
        server.close(() => resolve(port));
      });
  });
}
