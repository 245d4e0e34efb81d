import { expect, test } from "vitest";
import { isBelow, untilBegun, whileItSpeaks } from "../src/stream.ts";

const text = new TextEncoder();

/** A stream that the test writes, and whether its reader has given it up. */
function written() {
  let write!: ReadableStreamDefaultController<Uint8Array>;
  let cancelled: unknown;
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      write = controller;
    },
    cancel(reason) {
      cancelled = reason;
    },
  });
  return {
    stream,
    say: (part: string) => write.enqueue(text.encode(part)),
    end: () => write.close(),
    cancelled: () => cancelled,
  };
}

test("a stream is passed on part by part, to its end", async () => {
  const { stream, say, end } = written();
  const reader = whileItSpeaks(stream, 10_000).pipeThrough(new TextDecoderStream()).getReader();
  for (const part of ["first ", "second"]) {
    say(part);
    expect(await reader.read()).toEqual({ done: false, value: part });
  }
  end();
  expect((await reader.read()).done).toBe(true);
});

test("a stream that is silent breaks off, and its server is given up", async () => {
  const { stream, say, cancelled } = written();
  const reader = whileItSpeaks(stream, 50).getReader();
  say("first");
  await reader.read();
  await expect(reader.read()).rejects.toThrow("silent");
  await expect.poll(cancelled).toBeInstanceOf(Error);
});

test("a reader that leaves gives the server up", async () => {
  const { stream, cancelled } = written();
  await whileItSpeaks(stream, 10_000).cancel("has left");
  expect(cancelled()).toBe("has left");
});

test("an answer that does not begin in time is given up, and one that has begun is not", async () => {
  const late = untilBegun(20);
  await expect.poll(() => late.signal.aborted).toBe(true);
  expect(late.signal.reason).toMatchObject({ name: "TimeoutError" });
  const begun = untilBegun(20);
  begun.begun();
  await expect.poll(() => untilBegun(20).signal.aborted || late.signal.aborted).toBe(true);
  expect(begun.signal.aborted).toBe(false);
});

test("a path belongs to a route as at the gateway", () => {
  const routes = ["/api/runs"];
  expect(["/api/runs", "/api/runs/1"].map((path) => isBelow(path, routes))).toEqual([true, true]);
  expect(["/api/run", "/api/runs2", "/api"].map((path) => isBelow(path, routes))).toEqual([false, false, false]);
});
