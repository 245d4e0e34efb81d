import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The same sources give the same build, and so the same image: Next.js would take a random name. */
function sourcesHash(folders: readonly string[]): string {
  const hash = createHash("sha256");
  for (const folder of folders) {
    for (const file of globSync(["src/**/*.{ts,tsx,css,svg}", "package.json"], { cwd: folder }).sort()) {
      hash
        .update(file)
        .update("\0")
        .update(readFileSync(join(folder, file)))
        .update("\0");
    }
  }
  return hash.digest("hex").slice(0, 20);
}

/** The packages of the workspace that an application is built from. */
export function kits(checkout: string): string[] {
  return ["packages/web-kit", "packages/contract-typescript"].map((folder) => join(checkout, folder));
}

/** What next.config.ts of an application exports. `folder`: the application's own, two below the checkout. */
export function nextConfig(folder: string) {
  const checkout = join(folder, "../..");
  return {
    output: "standalone" as const,
    outputFileTracingRoot: checkout,
    turbopack: { root: checkout },
    transpilePackages: ["@nextai/contract", "@nextai/web-kit"],
    generateBuildId: () => sourcesHash([folder, ...kits(checkout)]),
    poweredByHeader: false,
    reactStrictMode: true,
    // `typecheck` is a check of its own; an image is not built to find type errors.
    typescript: { ignoreBuildErrors: true },
    // A picture optimiser would need sharp (assemble.ts leaves its 19 MB out) and a writable cache; the only pictures here are small SVGs.
    images: { unoptimized: true },
    experimental: {
      // The root file system is read-only at run time: what is cached stays in memory.
      isrFlushToDisk: false,
    },
    // What proxy.ts does not see (built files) is not to be sniffed either.
    headers: async () => [{ source: "/:path*", headers: [{ key: "X-Content-Type-Options", value: "nosniff" }] }],
  };
}
