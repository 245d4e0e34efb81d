#!/usr/bin/env node
// Makes .next/standalone the whole program: what `next build` leaves beside it is put in, with our own entry and this kit.
// Run by an application's own `build` script, in its folder.
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { kits } from "./next.ts";

const checkout = join(import.meta.dirname, "../../..");
const here = process.cwd();
const standalone = join(here, ".next/standalone");
const program = join(standalone, relative(checkout, here));

const parts = ["contract.json", "healthcheck.ts", "start.ts", "src/server", "public", ".next/static"];
for (const part of parts.filter((part) => existsSync(join(here, part)))) {
  cpSync(join(here, part), join(program, part), { recursive: true });
}

// start.ts and healthcheck.ts find the kits as in the checkout. They must not lie in node_modules: Node.js reads no TypeScript there.
const copies = kits(checkout).map((kit) => {
  const copy = join(standalone, relative(checkout, kit));
  for (const part of ["package.json", "src"]) cpSync(join(kit, part), join(copy, part), { recursive: true });
  return copy;
});
for (const user of [program, ...copies]) {
  for (const copy of copies.filter((copy) => copy !== user)) {
    const link = join(user, "node_modules", nameOf(copy));
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { recursive: true, force: true });
    symlinkSync(relative(dirname(link), copy), link);
  }
}

// The picture optimiser is off, so its native library is dead weight; Next.js loads it only to optimise a picture.
const packages = "node_modules/.pnpm";
for (const unused of globSync([`${packages}/{sharp@,@img+}*`, `${packages}/**/node_modules/{sharp,@img}`], {
  cwd: standalone,
})) {
  rmSync(join(standalone, unused), { recursive: true, force: true });
}

// Next.js puts random keys for draft mode and server actions into every build. Neither is used here, a key in an image
// is no secret, and with them no two builds of the same sources would be the same image: they become zeros.
const built = join(program, ".next");
const actions = JSON.parse(readFileSync(join(built, "server/server-reference-manifest.json"), "utf8")) as Actions;
if (Object.keys({ ...actions.node, ...actions.edge }).length > 0) {
  throw new Error("There are server actions now: their key must come from the environment, and not be zeros.");
}
const preview = JSON.parse(readFileSync(join(built, "server/preview-props.json"), "utf8")) as Record<string, string>;
const keys = [...Object.values(preview), actions.encryptionKey];
const holders = ["server-reference-manifest.json", "server-reference-manifest.js", "preview-props.json"];
for (const file of [...holders.map((name) => `server/${name}`), "prerender-manifest.json"]) {
  const path = join(built, file);
  const text = keys.reduce((left, key) => left.replaceAll(key, zeros(key)), readFileSync(path, "utf8"));
  writeFileSync(path, text);
}

type Actions = { node: object; edge: object; encryptionKey: string };

/** The name by which a package is imported. */
function nameOf(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name: string }).name;
}

/** A key of the same form and length. */
function zeros(key: string): string {
  return key.endsWith("=") ? Buffer.alloc(32).toString("base64") : "0".repeat(key.length);
}
