import { limits } from "@nextai/contract";

/** Whether a path belongs to one of these routes, as the gateway decides it. */
export function isBelow(path: string, prefixes: readonly string[]): boolean {
  return prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
}

/** A limit until an answer begins: `signal` aborts after `limit` milliseconds, unless `begun` is called before. */
export function untilBegun(limit: number): { signal: AbortSignal; begun: () => void } {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new DOMException("The answer did not begin.", "TimeoutError")), limit);
  return { signal: late.signal, begun: () => clearTimeout(timer) };
}

/**
 * A stream that may go on for as long as its parts come: one that brings nothing for `limit` milliseconds breaks off, at both ends.
 *
 * The limit counts only while the reader waits: a reader that takes its time is no silent server.
 */
export function whileItSpeaks(
  stream: ReadableStream<Uint8Array>,
  limit: number = limits.pageIdleMs,
): ReadableStream<Uint8Array> {
  const reader = stream.getReader();
  return new ReadableStream({
    async pull(controller) {
      const silent = Promise.withResolvers<never>();
      const timer = setTimeout(() => silent.reject(new Error("the stream is silent")), limit);
      try {
        const { done, value } = await Promise.race([reader.read(), silent.promise]);
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(error);
        await reader.cancel(error).catch(() => {});
      } finally {
        clearTimeout(timer);
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
