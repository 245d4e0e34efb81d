-- Statements that a gate lets through, each on the schema of schema.sql. A case begins with `-- case`, and what it is warned of.

-- case
CREATE TABLE teams (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, lead uuid REFERENCES users (id));
-- case
CREATE TABLE teams (id serial PRIMARY KEY, users text, "drop" text); CREATE INDEX ON teams (users);
-- case
CREATE TABLE teams (id int); ALTER TABLE teams ADD COLUMN n int NOT NULL; ALTER TABLE teams DROP COLUMN n; UPDATE teams SET id = 1; DROP TABLE teams;
-- case
CREATE TABLE teams (id int); TRUNCATE teams; DELETE FROM teams; ALTER TABLE teams RENAME TO groups;
-- case
CREATE TABLE teams (id int); ALTER TABLE teams ADD PRIMARY KEY (id); ALTER TABLE teams ADD CONSTRAINT c CHECK (id > 0);
-- case
CREATE TABLE teams (id int); ALTER TABLE teams ALTER id TYPE bigint; ALTER TABLE teams ENABLE ROW LEVEL SECURITY;
-- case
CREATE TABLE teams (id int); CREATE POLICY p ON teams USING (true); DROP POLICY p ON teams;
-- case
CREATE TABLE teams (id int); REVOKE ALL ON teams FROM PUBLIC; GRANT SELECT ON teams TO reader;
-- case
CREATE TABLE teams (id int); INSERT INTO teams VALUES (1), (2); INSERT INTO teams SELECT 3; INSERT INTO teams SELECT id + 1 FROM teams;
-- case
CREATE TEMP TABLE scratchpad (a int); INSERT INTO scratchpad VALUES (1); UPDATE scratchpad SET a = 2; DROP TABLE scratchpad;
-- case
CREATE SCHEMA shop; CREATE TABLE shop.goods (id int); ALTER TABLE shop.goods RENAME COLUMN id TO number;
-- case
CREATE TYPE colour AS ENUM ('red'); CREATE TABLE paints (c colour DEFAULT 'red'); DROP TABLE paints; DROP TYPE colour;
-- case
CREATE VIEW everybody AS SELECT * FROM users; DROP VIEW everybody;
-- case
CREATE MATERIALIZED VIEW names AS SELECT name FROM users WITH NO DATA;
-- case
CREATE SEQUENCE counter; ALTER SEQUENCE counter RESTART WITH 5; DROP SEQUENCE counter;
-- case
ALTER TABLE users ADD COLUMN last_seen timestamptz;
-- case
ALTER TABLE "users" ADD COLUMN "size" integer DEFAULT 0 NOT NULL;
-- case
ALTER TABLE users ADD COLUMN made timestamptz NOT NULL DEFAULT now();
-- case
ALTER TABLE orders ADD COLUMN rename text;
-- case
ALTER TABLE users ADD COLUMN type2 text, ADD COLUMN "drop column" text;
-- case
ALTER TABLE users ALTER COLUMN "type" SET DEFAULT 'x';
-- case
ALTER TABLE users ALTER type SET DEFAULT 'x', ALTER rename SET DEFAULT 'y';
-- case
ALTER TABLE users ALTER COLUMN nick SET DATA TYPE varchar(20);
-- case
ALTER TABLE users ALTER COLUMN nick TYPE varchar;
-- case
ALTER TABLE users ALTER COLUMN nick SET DATA TYPE text;
-- case
ALTER TABLE users ALTER COLUMN name TYPE text, ALTER COLUMN nick TYPE varchar(11);
-- case
ALTER TABLE users ALTER COLUMN score TYPE numeric(12, 2);
-- case
ALTER TABLE users ALTER COLUMN score TYPE numeric;
-- case
ALTER TABLE users ALTER COLUMN flags TYPE bit varying(8);
-- case
ALTER TABLE users ALTER COLUMN nick SET STATISTICS 500, ALTER COLUMN nick SET STORAGE EXTERNAL;
-- case validate-under-lock
ALTER TABLE users ADD CONSTRAINT n CHECK (nick IS NOT NULL) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT n; ALTER TABLE users ALTER nick SET NOT NULL;
-- case validate-under-lock
ALTER TABLE users ADD CONSTRAINT n CHECK (nick IS NOT NULL) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT n; ALTER TABLE users ALTER nick SET NOT NULL; ALTER TABLE users DROP CONSTRAINT n;
-- case
ALTER TABLE items ALTER COLUMN label SET NOT NULL;
-- case
ALTER TABLE orders VALIDATE CONSTRAINT orders_parent_set;
-- case
ALTER TABLE users ADD CONSTRAINT grown CHECK (age >= 0) NOT VALID;
-- case
ALTER TABLE notes ADD CONSTRAINT notes_owner FOREIGN KEY (id) REFERENCES orders (id) NOT VALID;
-- case drop-constraint
ALTER TABLE orders DROP CONSTRAINT orders_total_check;
-- case drop-constraint
ALTER TABLE orders DROP CONSTRAINT orders_user_fk;
-- case drop-not-null
ALTER TABLE users ALTER COLUMN name DROP NOT NULL;
-- case
ALTER TABLE orders RENAME CONSTRAINT orders_total_check TO total_check;
-- case
ALTER INDEX orders_user_idx RENAME TO orders_by_user;
-- case
ALTER TYPE mood ADD VALUE 'calm' AFTER 'sad';
-- case
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'calm';
-- case
CREATE INDEX CONCURRENTLY users_age ON users (age);
-- case
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_nick ON users (nick); ALTER TABLE users ADD CONSTRAINT nick_key UNIQUE USING INDEX users_nick;
-- case drop-index
DROP INDEX CONCURRENTLY orders_user_idx;
-- case
REINDEX INDEX CONCURRENTLY orders_user_idx;
-- case
VACUUM ANALYZE users;
-- case
ANALYZE users;
-- case
REFRESH MATERIALIZED VIEW CONCURRENTLY totals;
-- case
INSERT INTO app.settings (name, value) VALUES ('limit', '5'), ('colour', 'red');
-- case
INSERT INTO app.settings VALUES ('total', (SELECT count(*)::text FROM users));
-- case
INSERT INTO app.settings VALUES ('limit', '5') ON CONFLICT (name) DO UPDATE SET value = excluded.value;
-- case
INSERT INTO app.settings VALUES ('limit', '5') ON CONFLICT DO NOTHING RETURNING name;
-- case
INSERT INTO app.settings AS s (name) VALUES ('delete from users');
-- case
CREATE FUNCTION purge() RETURNS void LANGUAGE sql AS $$ DELETE FROM users $$;
-- case
CREATE FUNCTION purge() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DROP TABLE ' || 'users'; END $$;
-- case replace
CREATE OR REPLACE FUNCTION harmless(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 2';
-- case
SELECT harmless(1);
-- case replace
CREATE OR REPLACE VIEW open_orders AS SELECT id, total, state FROM orders WHERE state = 'new';
-- case create-trigger
CREATE TRIGGER stamp2 BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION stamp();
-- case create-policy
CREATE POLICY all_notes ON notes FOR SELECT USING (true);
-- case
GRANT SELECT, UPDATE, DELETE ON users TO reader;
-- case
COMMENT ON TABLE users IS 'DROP TABLE users; COMMIT;';
-- case
SELECT 'DELETE FROM users; DROP TABLE users';
-- case
DO $$ BEGIN CREATE TYPE colour AS ENUM ('red'); EXCEPTION WHEN duplicate_object THEN null; END $$;
-- case
DO $$ BEGIN ALTER TABLE notes ADD CONSTRAINT n FOREIGN KEY (id) REFERENCES orders (id) NOT VALID; EXCEPTION WHEN duplicate_object THEN null; END $$;
-- case
DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 'colour') THEN CREATE TYPE colour AS ENUM ('red'); END IF; END $$;
-- case
DO $$ BEGIN RAISE NOTICE 'DROP TABLE users'; END $$;
-- case
DO $$ BEGIN INSERT INTO app.settings VALUES ('limit', '5'); END $$;
-- case
ALTER TABLE users SET (autovacuum_vacuum_scale_factor = 0.01);
-- case
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
-- case
ALTER TABLE events_rest ADD CONSTRAINT part CHECK (day >= '2025-01-01' AND day < '2026-01-01' AND day IS NOT NULL) NOT VALID;
-- case
CREATE STATISTICS s ON age, name FROM users; DROP STATISTICS s;
-- case
SELECT pg_sleep(30);
-- case
SET search_path = app; CREATE TABLE flags (name text);
-- case
SET LOCAL work_mem = '64MB';
-- case
CREATE EXTENSION IF NOT EXISTS vector;
-- case alter-sequence
ALTER SEQUENCE ticket RESTART WITH 5;
-- case
SELECT nextval('ticket');
-- case
ALTER TABLE users REPLICA IDENTITY FULL;
-- case
ALTER TABLE notes ADD COLUMN author uuid REFERENCES users (id);
-- case
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;
-- case
-- nextai:contract drop-column: no version since 1.4 reads it
ALTER TABLE users DROP COLUMN nick;
-- case
-- nextai:contract moves-rows: forty rows, counted yesterday
UPDATE app.settings SET value = '6';
