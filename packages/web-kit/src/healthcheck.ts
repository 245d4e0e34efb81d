import type { Contract } from "@nextai/contract";

/** Asks this container's own server whether it is well, and exits with 0 or 1. The first argument is the path. */
export async function healthcheck(contract: Pick<Contract, "port">): Promise<never> {
  const port = process.env.PORT || contract.port;
  const path = process.argv[2] ?? "/api/health";
  try {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(3_000) });
    process.exit(answer.ok ? 0 : 1);
  } catch {
    process.exit(1);
  }
}
