// Drizzle's own runner on a folder of migrations: `node migrate.mjs PACKAGE FOLDER`, the database is DATABASE_URL's.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , base, migrationsFolder] = process.argv;
const require = createRequire(pathToFileURL(`${base}/package.json`));
const { drizzle } = require("drizzle-orm/node-postgres");
const { migrate } = require("drizzle-orm/node-postgres/migrator");
const pg = require("pg");

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
await migrate(drizzle(client), { migrationsFolder });
await client.end();
