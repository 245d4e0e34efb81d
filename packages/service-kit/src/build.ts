#!/usr/bin/env node
// Builds the service in the current folder into dist, or into the folder that is named: its entries with everything that
// they import, so that the image needs no node_modules. Run by a service's own `build` script.
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type OutputChunk, rolldown } from "rolldown";

const dist = process.argv[2] ?? "dist";
const entries = { main: "src/main.ts", healthcheck: "src/healthcheck.ts" };

const { name } = JSON.parse(await readFile("package.json", "utf8")) as { name: string };
await rm(dist, { recursive: true, force: true });

const bundle = await rolldown({
  input: entries,
  platform: "node",
  external: ["pg-native"], // an optional part of pg that is compiled while it is installed; nobody here asks for it
  onLog(level, log, write) {
    if (level === "warn") throw new Error(`${log.code ?? "warning"}: ${log.message}`);
    write(level, log);
  },
});
const { output } = await bundle.write({ dir: dist, format: "esm", chunkFileNames: "[name].js", minify: false });
await bundle.close();
// Without it node guesses what main.js is.
await writeFile(join(dist, "package.json"), `${JSON.stringify({ name, private: true, type: "module" }, null, 2)}\n`);

for (const chunk of output.filter((part): part is OutputChunk => part.type === "chunk")) {
  process.stdout.write(`${join(dist, chunk.fileName)}  ${Math.ceil(chunk.code.length / 1024)} KiB\n`);
}
