import { defineConfig } from "vitest/config";

// Hashing passwords takes its time by design, the more so on a busy machine.
export default defineConfig({ test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000 } });
