import { defineConfig } from "drizzle-kit";

// `pnpm --filter @nextai/db generate --name what_changes` writes the next migration; `invoke migrate` runs it.
export default defineConfig({
  dialect: "postgresql",
  schema: "./src/schema.ts",
  out: "./migrations",
});
