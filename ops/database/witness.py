"""The witnesses on a scratch database: what is installed there, and what they report of one statement.

Four of them, each deterministic: event triggers (`sql_drop`, `table_rewrite`, `ddl_command_end`), statement triggers on every table that
was there before (a DELETE is seen that finds no row), the session's own entries in pg_locks, and what the server says at DEBUG1 of the
scans and index builds it makes. What a file itself has made it may change at will: an object is its own if its OID is younger than a mark
that is set before the file, since a new server counts OIDs upwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from ops.database.connect import Connection

# The functions belong to the server's superuser; the role that runs the migrations can call one of them, and change none.
INSTALL = """
CREATE SCHEMA nextai_gate;
GRANT USAGE ON SCHEMA nextai_gate TO PUBLIC;
CREATE UNLOGGED TABLE nextai_gate.seen (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, tag text, type text, identity text, oid oid, sub int);
CREATE UNLOGGED TABLE nextai_gate.held (relation oid, mode text, PRIMARY KEY (relation, mode));

CREATE FUNCTION nextai_gate.dropped() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO nextai_gate.seen (kind, tag, type, identity, oid, sub)
    SELECT 'drop', tg_tag, object_type, object_identity, objid, objsubid FROM pg_event_trigger_dropped_objects()
    WHERE (original OR (normal AND object_type NOT IN ('rule', 'policy', 'default value'))) AND NOT is_temporary;
    -- The table of a trigger: nothing else tells that it has one less.
    INSERT INTO nextai_gate.seen (kind, oid)
    SELECT 'near', to_regclass(format('%I.%I', address_names[1], address_names[2])) FROM pg_event_trigger_dropped_objects()
    WHERE object_type = 'trigger';
END $$;
CREATE FUNCTION nextai_gate.rewritten() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO nextai_gate.seen (kind, tag, oid) VALUES ('rewrite', tg_tag, pg_event_trigger_table_rewrite_oid());
END $$;
CREATE FUNCTION nextai_gate.commanded() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO nextai_gate.seen (kind, tag, type, identity, oid, sub)
    SELECT 'command', command_tag, object_type, object_identity, objid, objsubid FROM pg_event_trigger_ddl_commands();
END $$;
CREATE FUNCTION nextai_gate.touched() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO nextai_gate.seen (kind, tag, oid) VALUES ('rows', TG_OP, TG_RELID);
    RETURN NULL;
END $$;

CREATE FUNCTION nextai_gate.facts(wanted oid[]) RETURNS jsonb LANGUAGE sql SET search_path = pg_catalog AS $$
    SELECT coalesce(jsonb_object_agg(c.oid, jsonb_build_object(
        'name', c.relname, 'schema', n.nspname, 'kind', c.relkind, 'node', c.relfilenode, 'owner', c.relowner,
        'security', jsonb_build_array(c.relrowsecurity, c.relforcerowsecurity),
        'parents', (SELECT jsonb_agg(inhparent ORDER BY inhparent) FROM pg_inherits WHERE inhrelid = c.oid),
        'columns', (SELECT jsonb_object_agg(attnum, jsonb_build_array(
                attname, atttypid::regtype::text, atttypmod, attnotnull, atthasdef, attidentity, attgenerated))
            FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
        'constraints', (SELECT jsonb_object_agg(oid, jsonb_build_array(conname, contype)) FROM pg_constraint WHERE conrelid = c.oid),
        'triggers', (SELECT jsonb_object_agg(tgname, tgenabled) FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal))), '{}')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (wanted) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
$$;
-- What one statement did: events after an id, locks that no statement before it held (`anew`: nothing is held from before), and the
-- facts of the relations from before the mark that it touched. The rest is as it was: what is asked grows neither with the file nor with
-- the schema. Whatever changes a relation's rows in the catalogue locks it, until the transaction ends; so those are looked at which
-- the transaction has locked, for rows that were written after a (sub)transaction, and all of them where it has ended (`alone`).
CREATE FUNCTION nextai_gate.take(mark oid, after bigint, since xid, anew boolean, alone boolean) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET enable_seqscan = off AS $$
DECLARE events jsonb; locks jsonb; wanted oid[]; locked oid[]; last bigint; own xid;
BEGIN
    IF anew THEN
        DELETE FROM nextai_gate.held;
    END IF;
    SELECT jsonb_agg(jsonb_build_array(kind, tag, type, identity, oid, sub) ORDER BY id) FILTER (WHERE kind <> 'near'), array_agg(oid)
    INTO events, wanted FROM nextai_gate.seen WHERE id > after;
    WITH strong AS MATERIALIZED (
        SELECT DISTINCT relation, mode FROM pg_locks
        WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND relation >= 16384 AND relation < mark
          AND mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')),
    fresh AS (
        INSERT INTO nextai_gate.held SELECT relation, mode FROM strong WHERE mode <> 'ShareUpdateExclusiveLock'
        ON CONFLICT DO NOTHING RETURNING relation, mode)
    SELECT jsonb_agg(jsonb_build_array(relation, mode)), array_agg(relation) || wanted, (SELECT array_agg(DISTINCT relation) FROM strong)
    INTO locks, wanted, locked FROM fresh;
    IF alone THEN
        locked := array(SELECT oid FROM pg_class WHERE oid >= 16384 AND oid < mark);
    END IF;
    IF locked IS NOT NULL THEN
        wanted := wanted || array(
            SELECT oid FROM pg_class WHERE oid = ANY (locked) AND age(xmin) < age(since)
            UNION SELECT attrelid FROM pg_attribute WHERE attrelid = ANY (locked) AND age(xmin) < age(since)
            UNION SELECT conrelid FROM pg_constraint WHERE conrelid = ANY (locked) AND age(xmin) < age(since)
            UNION SELECT tgrelid FROM pg_trigger WHERE tgrelid = ANY (locked) AND age(xmin) < age(since)
            UNION SELECT inhrelid FROM pg_inherits WHERE inhrelid = ANY (locked) AND age(xmin) < age(since)
            UNION SELECT indrelid FROM pg_index WHERE indrelid = ANY (locked) AND age(xmin) < age(since));
    END IF;
    wanted := array(SELECT one FROM unnest(wanted) AS one WHERE one < mark);
    INSERT INTO nextai_gate.seen (kind) VALUES ('taken') RETURNING id, xmin INTO last, own;
    RETURN jsonb_build_object('seen', events, 'locks', locks, 'last', last, 'xid', own::text,
        'facts', CASE WHEN wanted = '{}' THEN '{}' ELSE nextai_gate.facts(wanted) END);
END $$;
-- Watch the tables that the file before has made, or taken the trigger from; the others have theirs.
CREATE FUNCTION nextai_gate.begin_file(watched oid) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
DECLARE one record; mark oid;
BEGIN
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE (c.oid >= watched OR c.oid = ANY (array(SELECT oid FROM nextai_gate.seen WHERE kind = 'near')))
          AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'nextai_gate')
          AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'nextai_gate_rows')
    LOOP
        EXECUTE format('CREATE TRIGGER nextai_gate_rows BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION nextai_gate.touched()', one.name);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER nextai_gate_rows', one.name);
    END LOOP;
    TRUNCATE nextai_gate.seen, nextai_gate.held;
    mark := lo_create(0);
    PERFORM lo_unlink(mark);
    RETURN jsonb_build_object('mark', mark, 'xid', pg_current_xact_id()::xid::text);
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA nextai_gate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nextai_gate.take(oid, bigint, xid, boolean, boolean) TO PUBLIC;
-- A pause is not judged, and the gate has no time for it.
ALTER FUNCTION pg_catalog.pg_sleep(double precision) RENAME TO nextai_real_pause;
CREATE FUNCTION pg_catalog.pg_sleep(double precision) RETURNS void LANGUAGE sql AS 'SELECT';
"""
WATCH = """
CREATE EVENT TRIGGER nextai_gate_dropped ON sql_drop EXECUTE FUNCTION nextai_gate.dropped();
CREATE EVENT TRIGGER nextai_gate_rewritten ON table_rewrite EXECUTE FUNCTION nextai_gate.rewritten();
CREATE EVENT TRIGGER nextai_gate_commanded ON ddl_command_end EXECUTE FUNCTION nextai_gate.commanded();
"""
FACTS_FROM = "SELECT nextai_gate.facts(array(SELECT oid FROM pg_class WHERE oid >= %s AND relnamespace <> 'nextai_gate'::regnamespace))"
# Drizzle's own table: a file may look into it.
DRIZZLE = """
CREATE SCHEMA IF NOT EXISTS drizzle;
CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint);
"""

FIRST_OID = 16384  # below it are PostgreSQL's own objects
RelationFacts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a trigger saw. `kind`: drop, rewrite, command or rows; `tag`: the command; `oid`, `sub`: the object and its part."""

    kind: str
    tag: str
    type: str
    identity: str
    oid: int
    sub: int


@dataclass(frozen=True, slots=True)
class Since:
    """Up to where the reports have come: `mark` is the first OID of the file's own objects; the last event's id; the last
    (sub)transaction."""

    mark: int
    event: int
    xid: str


@dataclass(frozen=True, slots=True)
class EffectReport:
    """What the witnesses say of one statement: events, the locks that it took, the relations that it touched, and the server's words."""

    seen: tuple[Event, ...]
    locks: frozenset[tuple[int, str]]
    facts: Mapping[int, RelationFacts]
    said: tuple[str, ...]

    @property
    def rewrites(self) -> bool:
        """Whether it rewrites a table."""
        return any(event.kind == "rewrite" for event in self.seen)


def begin_file(observer: "Connection", watched: int = FIRST_OID) -> Since:
    """Watch the tables that are there, and set the mark. `watched`: the mark before, up to which they were watched then."""
    document = _document(observer.execute("SELECT nextai_gate.begin_file(%s::oid)", (watched,)).fetchone())
    return Since(int(str(document["mark"])), 0, str(document["xid"]))


def report(
    owner: "Connection", since: Since, said: tuple[str, ...], *, anew: bool = False, alone: bool = False
) -> tuple[EffectReport, Since]:
    """What one statement did, and up to where that is. `anew`: no lock is held from before it; `alone`: nor from itself any more."""
    asked = owner.execute("SELECT nextai_gate.take(%s::oid, %s, %s::xid, %s, %s)", (since.mark, since.event, since.xid, anew, alone))
    document = _document(asked.fetchone())
    seen = cast("list[list[object]]", document["seen"] or [])
    locks = cast("list[list[object]]", document["locks"] or [])
    events = tuple(Event(str(k), str(tag), str(t), str(i), int(str(oid or 0)), int(str(sub or 0))) for k, tag, t, i, oid, sub in seen)
    held = frozenset((int(str(oid)), str(mode)) for oid, mode in locks)
    found = EffectReport(events, held, _facts(document["facts"]), said)
    return found, Since(since.mark, int(str(document["last"])), str(document["xid"]))


def facts_from(observer: "Connection", oid: int) -> dict[int, RelationFacts]:
    """What there is of each relation from an OID on."""
    row = observer.execute(FACTS_FROM, (oid,)).fetchone()
    return _facts(row[0]) if row else {}


def _document(row: tuple[object, ...] | None) -> dict[str, object]:
    return cast("dict[str, object]", row[0] if row else {})


def _facts(found: object) -> dict[int, RelationFacts]:
    return {int(oid): facts for oid, facts in cast("dict[str, RelationFacts]", found).items()}
