// The process: checks the environment, then becomes the Next.js server that `next build` made beside this file.
import { runApp } from "@nextai/web-kit/run";
import { config, SERVICE } from "./src/server/config.ts";

await runApp({
  service: SERVICE,
  config,
  words: { title: "NextAI Agent", back: "Back to your memories" },
  server: new URL("./server.js", import.meta.url),
});
