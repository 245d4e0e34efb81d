/** Longest request body that is passed on, in bytes: it is kept, so that it can be sent again after a refresh. */
export const LONGEST_BODY = 1_048_576;

// Node.js reads 64 KiB at a time at most.
const CHUNK = 65_536;

/**
 * How much of a body Next.js may copy while proxy.ts runs, in bytes (next.config.ts).
 *
 * At this limit it drops the chunk that goes over it, and the handler gets what came before as if that were all
 * (next/dist/server/body-streams.js). With less than one chunk above LONGEST_BODY, a body that is too long would pass
 * for one that is not, and be sent on cut off.
 */
export const LONGEST_COPY = LONGEST_BODY + 2 * CHUNK;

/** A request's body; "too long" as soon as it is known to have more than `longest` bytes. */
export async function readBody(request: Request, longest: number): Promise<ArrayBuffer | "too long"> {
  if (!request.body) return new ArrayBuffer(0);
  if (Number(request.headers.get("content-length") ?? 0) > longest) return "too long";
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.byteLength;
    if (length > longest) return "too long";
    chunks.push(chunk);
  }
  return new Blob(chunks as BlobPart[]).arrayBuffer();
}
