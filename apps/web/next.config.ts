import { nextConfig } from "@nextai/web-kit/next";
import type { NextConfig } from "next";
import { LONGEST_COPY } from "./src/server/body.ts";

const base = nextConfig(import.meta.dirname);

const config: NextConfig = {
  ...base,
  // Since there is a proxy.ts, a body lies in memory before any handler can refuse it: 10 MiB of each, by default.
  experimental: { ...base.experimental, proxyClientMaxBodySize: LONGEST_COPY },
};

export default config;
