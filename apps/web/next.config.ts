import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";
import { LONGEST_COPY } from "./src/server/body.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const checkout = fileURLToPath(new URL("../..", import.meta.url));

/** The same sources give the same build, and so the same image: Next.js would take a random name. */
function sourcesHash(): string {
  const hash = createHash("sha256");
  for (const file of globSync(["src/**/*.{ts,tsx,css,svg}", "package.json"], { cwd: here }).sort()) {
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(`${here}/${file}`))
      .update("\0");
  }
  return hash.digest("hex").slice(0, 20);
}

const config: NextConfig = {
  output: "standalone",
  outputFileTracingRoot: checkout,
  turbopack: { root: checkout },
  generateBuildId: sourcesHash,
  poweredByHeader: false,
  reactStrictMode: true,
  // `typecheck` is a check of its own; an image is not built to find type errors.
  typescript: { ignoreBuildErrors: true },
  // A picture optimiser would need sharp (scripts/assemble.ts leaves its 19 MB out) and a writable cache; the only pictures here are small SVGs.
  images: { unoptimized: true },
  experimental: {
    // The root file system is read-only at run time: what is cached stays in memory.
    isrFlushToDisk: false,
    // Since there is a proxy.ts, a body lies in memory before any handler can refuse it: 10 MiB of each, by default.
    proxyClientMaxBodySize: LONGEST_COPY,
  },
  // What proxy.ts does not see (built files) is not to be sniffed either.
  headers: async () => [{ source: "/:path*", headers: [{ key: "X-Content-Type-Options", value: "nosniff" }] }],
};

export default config;
