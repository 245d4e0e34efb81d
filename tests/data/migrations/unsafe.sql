-- Statements that a gate refuses, each on the schema of schema.sql. A case begins with `-- case RULE …`: the rules that refuse it.

-- case drop-table
DROP TABLE items;
-- case drop-table
DROP TABLE IF EXISTS public.items CASCADE;
-- case drop-table
drop/* comments */table--here
  "items";
-- case drop-table
DROP TABLE "Odd Name";
-- case drop-table
DROP TABLE app . settings;
-- case drop-table
DROP TABLE notes, items;
-- case drop-table
CREATE TABLE fresh (a int); DROP TABLE fresh, items;
-- case drop-table
CREATE TEMP TABLE items (a int); DROP TABLE public.items;
-- case drop-table
CREATE TEMPORARY TABLE items (a int); DROP TABLE items; DROP TABLE items;
-- case drop-table
DO $$ BEGIN DROP TABLE items; END $$;
-- case drop-table
DO 'BEGIN DROP TABLE items; END';
-- case drop-table
DO E'BEGIN \x44ROP TABLE items; END';
-- case drop-table
DO LANGUAGE plpgsql $body$ BEGIN DROP TABLE items; END $body$;
-- case drop-table
DO $$ <<outer>> BEGIN DROP TABLE items; END $$;
-- case drop-table
DO $$ BEGIN IF false THEN NULL; ELSIF true THEN DROP TABLE items; END IF; END $$;
-- case drop-table
DO $$ BEGIN IF EXISTS (SELECT FROM users) THEN DROP TABLE items; END IF; END $$;
-- case drop-table
DO $$ BEGIN IF EXISTS (SELECT FROM users) THEN NULL; ELSE DROP TABLE items; END IF; END $$;
-- case drop-table
DO $$ BEGIN CASE 1 WHEN 1 THEN DROP TABLE items; ELSE NULL; END CASE; END $$;
-- case drop-table
DO $$ BEGIN PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN DROP TABLE items; END $$;
-- case drop-table
DO $$ BEGIN PERFORM 1; EXCEPTION WHEN OTHERS THEN DROP TABLE items; END $$;
-- case drop-table
DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM users LOOP DROP TABLE items; END LOOP; END $$;
-- case drop-table
DO $$ BEGIN WHILE false LOOP DROP TABLE items; END LOOP; END $$;
-- case drop-table
DO $$ BEGIN LOOP DROP TABLE items; EXIT; END LOOP; END $$;
-- case drop-table
DO $$ DECLARE x int; BEGIN FOREACH x IN ARRAY '{}'::int[] LOOP DROP TABLE items; END LOOP; END $$;
-- case drop-table
DO $$ BEGIN BEGIN DROP TABLE items; END; END $$;
-- case drop-table
DO $$ BEGIN EXECUTE 'DROP TABLE items'; END $$;
-- case drop-table dynamic-sql
DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'items'; END $$;
-- case drop-table dynamic-sql
DO $$ BEGIN EXECUTE format('DROP TABLE %I', 'items'); END $$;
-- case dynamic-sql
DO $$ BEGIN IF EXISTS (SELECT FROM users) THEN EXECUTE format('DROP TABLE %I', 'items'); END IF; END $$;
-- case dynamic-sql
DO $$ DECLARE t text; BEGIN FOR t IN SELECT note FROM (SELECT body AS note FROM notes) n LOOP EXECUTE t; END LOOP; END $$;
-- case drop-table
CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ DROP TABLE items $$; SELECT f();
-- case drop-table
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE items; END $$; SELECT f();
-- case drop-table
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE items; END $$; DO $$ BEGIN PERFORM f(); END $$;
-- case drop-table
CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN DROP TABLE items; END'; CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM f(); END'; SELECT g();
-- case drop-table
CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN DROP TABLE items; END $$; CALL p();
-- case drop-table
CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE items; RETURN 1; END $$; CREATE TABLE fresh (a int DEFAULT f()); INSERT INTO fresh VALUES (DEFAULT);
-- case drop-table
SELECT 1; /* nested /* comment */ */ DROP TABLE items;
-- case drop-column
ALTER TABLE users DROP COLUMN nick;
-- case drop-column
ALTER TABLE users DROP nick;
-- case drop-column
ALTER TABLE ONLY "public"."users" DROP COLUMN IF EXISTS "nick" CASCADE;
-- case drop-column
ALTER TABLE users ADD COLUMN fine int, DROP COLUMN nick;
-- case drop-column
ALTER TABLE IF EXISTS users * DROP COLUMN "type";
-- case drop-column
ALTER TABLE "Odd Name" DROP COLUMN "Some Column";
-- case drop-column
ALTER TABLE events DROP COLUMN what;
-- case drop-column
CREATE TABLE IF NOT EXISTS users (a int); ALTER TABLE users DROP COLUMN nick;
-- case drop-column
SET search_path = app, public; ALTER TABLE settings DROP COLUMN value;
-- case drop-column
DO $$ BEGIN ALTER TABLE users DROP COLUMN nick; END $$;
-- case drop-column drop-view
ALTER TABLE orders DROP COLUMN total CASCADE;
-- case drop-view
DROP VIEW open_orders;
-- case drop-view
DROP MATERIALIZED VIEW totals;
-- case drop-view drop-table
DROP TABLE orders CASCADE;
-- case drop-type drop-column
DROP TYPE mood CASCADE;
-- case drop-type drop-column
DROP DOMAIN postcode CASCADE;
-- case drop-schema drop-table
DROP SCHEMA app CASCADE;
-- case drop-schema drop-table
DO $$ BEGIN DROP SCHEMA app CASCADE; EXCEPTION WHEN OTHERS THEN NULL; END $$;
-- case drop-sequence
DROP SEQUENCE ticket;
-- case drop-function
DROP FUNCTION tidy;
-- case drop-function
DROP FUNCTION IF EXISTS harmless(int) CASCADE;
-- case drop-function
DROP PROCEDURE sweep();
-- case drop-function
DROP ROUTINE harmless(int);
-- case drop-function
CREATE FUNCTION passing() RETURNS int LANGUAGE sql AS 'SELECT 1'; DROP FUNCTION passing();
-- case drop-function drop-trigger
DROP FUNCTION stamp CASCADE;
-- case drop-extension
DROP EXTENSION vector;
-- case drop-trigger
DROP TRIGGER stamp ON users;
-- case drop-policy
DROP POLICY own_notes ON notes;
-- case drop-role
DROP ROLE IF EXISTS reader_of_nothing;
-- case drop-default
ALTER TABLE users ALTER COLUMN age DROP DEFAULT;
-- case drop-default
ALTER TABLE users ALTER active DROP DEFAULT;
-- case drop-default
ALTER TABLE users ALTER COLUMN nick DROP DEFAULT;
-- case drop-default
ALTER TABLE orders ALTER COLUMN id DROP IDENTITY;
-- case drop-default
ALTER TABLE orders ALTER id DROP IDENTITY IF EXISTS;
-- case drop-default
ALTER TABLE orders ALTER COLUMN doubled DROP EXPRESSION;
-- case drop-default
DO $$ BEGIN ALTER TABLE users ALTER active DROP DEFAULT; END $$;
-- case drop-unique
ALTER TABLE users DROP CONSTRAINT users_email_key;
-- case drop-unique
ALTER TABLE items DROP CONSTRAINT items_pkey;
-- case drop-unique
ALTER TABLE notes DROP CONSTRAINT notes_span;
-- case drop-unique
ALTER TABLE users DROP CONSTRAINT users_pkey CASCADE;
-- case drop-attribute
ALTER TYPE address DROP ATTRIBUTE town;
-- case drop-attribute
CREATE TYPE comp AS (a int, b int); ALTER TYPE comp DROP ATTRIBUTE b;
-- case change-attribute
CREATE TYPE comp AS (a int, b int); ALTER TYPE comp ALTER ATTRIBUTE b TYPE text;
-- case drop-index-lock
DROP INDEX orders_user_idx;
-- case drop-index-lock
DROP INDEX IF EXISTS public.orders_user_idx, orders_state_idx;
-- case drop-index-lock
DO $$ BEGIN DROP INDEX orders_user_idx; END $$;
-- case detach-partition
ALTER TABLE events DETACH PARTITION events_old;
-- case detach-partition
ALTER TABLE events DETACH PARTITION events_old CONCURRENTLY;
-- case detach-partition
ALTER TABLE child_log NO INHERIT base_log;
-- case drop-table
DROP TABLE events_old;
-- case rename
ALTER TABLE users RENAME TO people;
-- case rename
ALTER TABLE users RENAME COLUMN nick TO handle;
-- case rename
ALTER TABLE users RENAME nick TO handle;
-- case rename
ALTER TABLE users RENAME COLUMN "rename" TO "type2";
-- case rename
ALTER VIEW open_orders RENAME TO new_orders;
-- case rename
ALTER TABLE open_orders RENAME COLUMN total TO amount;
-- case rename
ALTER SEQUENCE ticket RENAME TO tickets;
-- case rename
ALTER TABLE users SET SCHEMA app;
-- case rename
DO $$ BEGIN ALTER TABLE users RENAME COLUMN nick TO handle; END $$;
-- case rename
ALTER TABLE users RENAME TO old_users; CREATE TABLE users (id uuid);
-- case rename-type
ALTER TYPE mood RENAME VALUE 'sad' TO 'low';
-- case rename-type
ALTER TYPE mood RENAME TO temper;
-- case rename-type
ALTER TYPE address RENAME ATTRIBUTE town TO city;
-- case rename-type
ALTER SCHEMA app RENAME TO application;
-- case rename-type
ALTER FUNCTION harmless(int) RENAME TO harmful;
-- case rename-type
ALTER FUNCTION harmless(int) SET SCHEMA app;
-- case change-type rewrite-table
ALTER TABLE users ALTER COLUMN age TYPE bigint;
-- case change-type rewrite-table
ALTER TABLE users ALTER COLUMN age SET DATA TYPE text USING age::text;
-- case change-type rewrite-table
ALTER TABLE users ALTER nick TYPE varchar(5);
-- case change-type rewrite-table
ALTER TABLE users ALTER COLUMN email TYPE varchar(80);
-- case change-type
ALTER TABLE users ALTER COLUMN joined TYPE timestamptz;
-- case change-type
ALTER TABLE orders ALTER COLUMN placed TYPE timestamp;
-- case change-type rewrite-table
ALTER TABLE users ALTER COLUMN score TYPE numeric(6, 1);
-- case change-type rewrite-table
ALTER TABLE users ALTER COLUMN flags TYPE bit varying(2);
-- case change-type rewrite-table
ALTER TABLE users ALTER feeling TYPE text USING feeling::text;
-- case change-type
ALTER TABLE users ALTER COLUMN zip TYPE text;
-- case change-type rewrite-table
DO $$ BEGIN ALTER TABLE users ALTER age TYPE bigint; END $$;
-- case set-not-null
ALTER TABLE users ALTER COLUMN nick SET NOT NULL;
-- case set-not-null
ALTER TABLE users ALTER age SET NOT NULL;
-- case set-not-null
ALTER TABLE orders ALTER COLUMN parent SET NOT NULL;
-- case set-not-null
DO $$ BEGIN ALTER TABLE users ALTER nick SET NOT NULL; END $$;
-- case set-not-null build-index
ALTER TABLE notes ADD PRIMARY KEY (id);
-- case add-required-column
ALTER TABLE users ADD COLUMN size int NOT NULL;
-- case add-required-column
ALTER TABLE users ADD size int NOT NULL CHECK (size > 0);
-- case add-required-column
ALTER TABLE users ADD COLUMN IF NOT EXISTS "default" int NOT NULL;
-- case add-required-column
ALTER TABLE users ADD COLUMN fine int, ADD COLUMN size text NOT NULL;
-- case add-required-column build-index
ALTER TABLE notes ADD COLUMN key uuid PRIMARY KEY;
-- case rewrite-table
ALTER TABLE users ADD COLUMN n bigserial;
-- case rewrite-table
ALTER TABLE users ADD COLUMN n serial NOT NULL;
-- case rewrite-table
ALTER TABLE users ADD COLUMN n int GENERATED ALWAYS AS IDENTITY;
-- case rewrite-table
ALTER TABLE users ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();
-- case rewrite-table
ALTER TABLE users ADD COLUMN seen timestamptz DEFAULT clock_timestamp();
-- case rewrite-table
ALTER TABLE users ADD COLUMN twice int GENERATED ALWAYS AS (age * 2) STORED;
-- case rewrite-table
ALTER TABLE base_log SET UNLOGGED;
-- case identity-always
ALTER TABLE orders ALTER COLUMN id SET GENERATED ALWAYS;
-- case alter-domain
ALTER DOMAIN postcode ADD CONSTRAINT short CHECK (length(VALUE) < 6);
-- case alter-domain
ALTER DOMAIN postcode SET NOT NULL;
-- case alter-domain
ALTER DOMAIN postcode DROP CONSTRAINT postcode_check;
-- case alter-domain
DO $$ BEGIN ALTER DOMAIN postcode SET NOT NULL; END $$;
-- case row-security
ALTER TABLE users ENABLE ROW LEVEL SECURITY;
-- case row-security
ALTER TABLE notes DISABLE ROW LEVEL SECURITY;
-- case row-security
ALTER TABLE notes FORCE ROW LEVEL SECURITY;
-- case row-security
DO $$ BEGIN ALTER TABLE users ENABLE ROW LEVEL SECURITY; END $$;
-- case alter-policy
ALTER POLICY own_notes ON notes USING (true);
-- case disable-trigger
ALTER TABLE users DISABLE TRIGGER stamp;
-- case disable-trigger
ALTER TABLE users DISABLE TRIGGER USER;
-- case revoke
REVOKE SELECT ON users FROM reader;
-- case revoke
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
-- case revoke
REVOKE EXECUTE ON FUNCTION harmless(int) FROM PUBLIC;
-- case revoke
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
-- case revoke
DO $$ BEGIN REVOKE SELECT ON users FROM reader; END $$;
-- case owner
ALTER TABLE users OWNER TO heir;
-- case owner
ALTER FUNCTION tidy() OWNER TO heir;
-- case owner
REASSIGN OWNED BY CURRENT_USER TO heir;
-- case alter-role
ALTER ROLE CURRENT_USER SET statement_timeout = '1h';
-- case alter-server
ALTER DATABASE production SET lock_timeout = 0;
-- case alter-server
ALTER SYSTEM SET fsync = off;
-- case create-rule
CREATE RULE quiet AS ON DELETE TO users DO INSTEAD NOTHING;
-- case moves-rows
UPDATE users SET age = 1;
-- case moves-rows
UPDATE ONLY public.users AS u SET age = 1 WHERE u.age IS NULL;
-- case moves-rows
DELETE FROM users;
-- case moves-rows
DELETE FROM "Odd Name" USING users WHERE age = 1;
-- case moves-rows
MERGE INTO users u USING orders o ON o.user_id = u.id WHEN MATCHED THEN UPDATE SET age = 2;
-- case moves-rows
INSERT INTO notes (id, body) SELECT age, name FROM users;
-- case moves-rows
INSERT INTO base_log TABLE child_log;
-- case moves-rows
INSERT INTO base_log (SELECT now(), email FROM users);
-- case moves-rows
INSERT INTO base_log WITH x AS (SELECT now(), email FROM users) SELECT * FROM x;
-- case moves-rows
INSERT INTO notes (id) SELECT generate_series(1, 1000000);
-- case moves-rows
CREATE TABLE copy AS SELECT * FROM users;
-- case moves-rows
CREATE TABLE copy (a, b) AS TABLE app.settings;
-- case moves-rows
CREATE UNLOGGED TABLE IF NOT EXISTS copy AS (SELECT * FROM users) WITH DATA;
-- case moves-rows
SELECT * INTO copy FROM users;
-- case moves-rows
CREATE TABLE copy (id uuid); INSERT INTO copy SELECT id FROM users;
-- case moves-rows
CREATE TABLE IF NOT EXISTS copy (a text, b text); INSERT INTO copy TABLE app.settings;
-- case moves-rows
WITH gone AS (DELETE FROM items RETURNING *) SELECT count(*) FROM gone;
-- case moves-rows
WITH a AS (SELECT 1), b AS (UPDATE users SET age = 1 RETURNING id) INSERT INTO notes (id) VALUES (1);
-- case moves-rows
PREPARE q AS DELETE FROM items; EXECUTE q;
-- case moves-rows
PREPARE q (int) AS UPDATE users SET age = $1; EXECUTE q (4); DEALLOCATE q;
-- case moves-rows
EXPLAIN ANALYZE DELETE FROM items;
-- case moves-rows
DO $$ BEGIN UPDATE users SET age = 1; END $$;
-- case moves-rows
DO $$ BEGIN IF false THEN UPDATE users SET age = 1; END IF; END $$;
-- case moves-rows
DO $$ DECLARE r record; BEGIN FOR r IN DELETE FROM items RETURNING * LOOP NULL; END LOOP; END $$;
-- case moves-rows
DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'WITH x AS (DELETE FROM items RETURNING *) SELECT * FROM x' LOOP NULL; END LOOP; END $$;
-- case moves-rows
DO $$ DECLARE r record; BEGIN FOR r IN WITH x AS (DELETE FROM items RETURNING *) SELECT * FROM x LOOP NULL; END LOOP; END $$;
-- case moves-rows
DO $$ DECLARE r record; BEGIN FOR r IN SELECT id FROM users LOOP UPDATE users SET age = 2 WHERE id = r.id; END LOOP; END $$;
-- case moves-rows
DO $$ DECLARE c refcursor; BEGIN OPEN c FOR WITH x AS (DELETE FROM items RETURNING *) SELECT * FROM x; END $$;
-- case moves-rows
DO $$ DECLARE n int; BEGIN DELETE FROM items RETURNING place INTO n; END $$;
-- case moves-rows
DO $$ BEGIN EXECUTE 'DELETE FROM items WHERE place = $1' USING 4; END $$;
-- case moves-rows
DO $$ BEGIN INSERT INTO notes (id) SELECT age FROM users; END $$;
-- case moves-rows
SELECT tidy();
-- case moves-rows
SELECT pg_catalog.lower('x'), public.tidy();
-- case moves-rows
CALL sweep();
-- case moves-rows
CREATE FUNCTION f() RETURNS SETOF items LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY DELETE FROM items RETURNING *; END $$; SELECT * FROM f();
-- case moves-rows
CREATE FUNCTION f() RETURNS void BEGIN ATOMIC DELETE FROM items; END; SELECT f();
-- case moves-rows
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ UPDATE users SET age = 1; SELECT 1 $$; CREATE VIEW v AS SELECT f(); SELECT * FROM v;
-- case moves-rows
COPY users TO STDOUT;
-- case dynamic-sql
SELECT query_to_xml('DELETE FROM items', true, false, '');
-- case truncate
TRUNCATE items;
-- case truncate
TRUNCATE TABLE ONLY public.items, notes RESTART IDENTITY CASCADE;
-- case truncate
CREATE TABLE fresh (a int); TRUNCATE fresh, items;
-- case truncate
DO $$ BEGIN TRUNCATE items; END $$;
-- case scan-table
ALTER TABLE users ADD CONSTRAINT grown CHECK (age >= 0);
-- case scan-table
ALTER TABLE notes ADD CONSTRAINT notes_owner FOREIGN KEY (id) REFERENCES orders (id);
-- case scan-table
ALTER TABLE users ADD CHECK (nick IS NOT NULL);
-- case scan-table
ALTER TABLE users ADD COLUMN size int DEFAULT 1 CHECK (size > 0);
-- case scan-table
ALTER TABLE events ATTACH PARTITION events_rest FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
-- case scan-table
DO $$ BEGIN ALTER TABLE users ADD CONSTRAINT grown CHECK (age >= 0); EXCEPTION WHEN duplicate_object THEN NULL; END $$;
-- case build-index
CREATE INDEX ON users (age);
-- case build-index
CREATE UNIQUE INDEX IF NOT EXISTS one ON public.users USING btree (lower(email));
-- case build-index
ALTER TABLE users ADD CONSTRAINT nick_key UNIQUE (nick);
-- case build-index
ALTER TABLE users ADD COLUMN handle text UNIQUE;
-- case build-index
ALTER TABLE notes ADD EXCLUDE USING gist (span WITH &&);
-- case build-index
DO $$ BEGIN CREATE INDEX i ON users (age); END $$;
-- case vacuum-full
VACUUM FULL users;
-- case vacuum-full
VACUUM (FULL, ANALYZE) users;
-- case vacuum-full
VACUUM (ANALYZE, FULL true);
-- case cluster
CLUSTER orders USING orders_user_idx;
-- case reindex
REINDEX TABLE users;
-- case reindex
REINDEX INDEX orders_user_idx;
-- case reindex
REINDEX (VERBOSE) TABLE orders;
-- case refresh-view
REFRESH MATERIALIZED VIEW totals;
-- case refresh-view
DO $$ BEGIN REFRESH MATERIALIZED VIEW totals; END $$;
-- case lock-table
LOCK TABLE users;
-- case lock-table
LOCK ONLY public.users IN SHARE MODE NOWAIT;
-- case lock-table
DO $$ BEGIN LOCK TABLE users IN EXCLUSIVE MODE; END $$;
-- case time-limit
SET lock_timeout = 0;
-- case time-limit
SET LOCAL statement_timeout TO '1h';
-- case time-limit
SET SESSION idle_in_transaction_session_timeout = 0;
-- case time-limit
RESET lock_timeout;
-- case time-limit
RESET ALL;
-- case time-limit
SELECT set_config('lock_timeout', '0', true);
-- case time-limit
SELECT pg_catalog.set_config('Lock_Timeout', '0', false);
-- case time-limit
DO $$ BEGIN SET LOCAL lock_timeout = 0; END $$;
-- case time-limit
DO $$ BEGIN PERFORM set_config('lock_timeout', '0', true); END $$;
-- case setting
DO $$ BEGIN PERFORM set_config('lock_' || 'timeout', '0', true); END $$;
-- case setting
SET session_replication_role = replica;
-- case setting
SET ROLE reader;
-- case setting
SET SESSION AUTHORIZATION DEFAULT;
-- case setting
SET standard_conforming_strings = off;
-- case transaction-control
COMMIT;
-- case transaction-control
BEGIN; SELECT 1; END;
-- case transaction-control
SELECT 1; ROLLBACK;
-- case transaction-control
SAVEPOINT a;
-- case transaction-control
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
-- case fails
SELECT * FROM nowhere;
-- case fails
ALTER TABLE users ADD COLUMN email text;
-- case fails
SELEC 1;
