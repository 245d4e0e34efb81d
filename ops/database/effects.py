"""What migrations do, seen by running them on a scratch database.

Four witnesses, each deterministic: event triggers (`sql_drop`, `table_rewrite`, `ddl_command_end`), statement triggers on every table
that was there before (a DELETE is seen that finds no row), the session's own entries in pg_locks, and what the server says at DEBUG1 of
the scans and index builds it makes. What a file itself has made it may change at will: an object is its own if its OID is younger than
a mark that is set before the file, since a new server counts OIDs upwards.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from ops.database.journal import ALONE, Migration
from ops.database.reading import CONTROL
from ops.database.schema import Schema, restore
from ops.database.scratch import STATEMENT_SECONDS, Scratch
from ops.database.sql import Statement
from ops.database.words import words
from ops.errors import Failure

if TYPE_CHECKING:
    import psycopg

# The functions belong to the server's superuser; the role that runs the migrations can call one of them, and change none.
INSTALL = """
CREATE SCHEMA nextai_gate;
GRANT USAGE ON SCHEMA nextai_gate TO PUBLIC;
CREATE UNLOGGED TABLE nextai_gate.seen (
    id bigint GENERATED ALWAYS AS IDENTITY, kind text, tag text, type text, identity text, oid oid, sub int);

CREATE FUNCTION nextai_gate.dropped() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO nextai_gate.seen (kind, tag, type, identity, oid, sub)
    SELECT 'drop', tg_tag, object_type, object_identity, objid, objsubid FROM pg_event_trigger_dropped_objects()
    WHERE (original OR (normal AND object_type NOT IN ('rule', 'policy', 'default value'))) AND NOT is_temporary;
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
CREATE FUNCTION nextai_gate.take() RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE events jsonb; held jsonb; wanted oid[];
BEGIN
    WITH gone AS (DELETE FROM nextai_gate.seen RETURNING *)
    SELECT jsonb_agg(jsonb_build_array(kind, tag, type, identity, oid, sub) ORDER BY id), array_agg(oid) INTO events, wanted FROM gone;
    SELECT jsonb_agg(jsonb_build_array(relation, mode)), array_agg(relation) || wanted INTO held, wanted FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted AND relation >= 16384
      AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock');
    RETURN jsonb_build_object('seen', events, 'locks', held, 'facts', nextai_gate.facts(wanted));
END $$;
CREATE FUNCTION nextai_gate.begin_file() RETURNS oid LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE one record; mark oid;
BEGIN
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'nextai_gate')
          AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = 'nextai_gate_rows')
    LOOP
        EXECUTE format('CREATE TRIGGER nextai_gate_rows BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION nextai_gate.touched()', one.name);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER nextai_gate_rows', one.name);
    END LOOP;
    DELETE FROM nextai_gate.seen;
    mark := lo_create(0);
    PERFORM lo_unlink(mark);
    RETURN mark;
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA nextai_gate FROM PUBLIC;
GRANT EXECUTE ON FUNCTION nextai_gate.take() TO PUBLIC;
-- A pause is not judged, and the gate has no time for it.
ALTER FUNCTION pg_catalog.pg_sleep(double precision) RENAME TO nextai_real_pause;
CREATE FUNCTION pg_catalog.pg_sleep(double precision) RETURNS void LANGUAGE sql AS 'SELECT';
"""
WATCH = """
CREATE EVENT TRIGGER nextai_gate_dropped ON sql_drop EXECUTE FUNCTION nextai_gate.dropped();
CREATE EVENT TRIGGER nextai_gate_rewritten ON table_rewrite EXECUTE FUNCTION nextai_gate.rewritten();
CREATE EVENT TRIGGER nextai_gate_commanded ON ddl_command_end EXECUTE FUNCTION nextai_gate.commanded();
"""
ALL_FACTS = "SELECT nextai_gate.facts(array(SELECT oid FROM pg_class WHERE oid >= 16384 AND relnamespace <> 'nextai_gate'::regnamespace))"
# Drizzle's own table: a file may look into it.
DRIZZLE = """
CREATE SCHEMA IF NOT EXISTS drizzle;
CREATE TABLE IF NOT EXISTS drizzle.__drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint);
"""

DROPPED = {
    "table": "drop-table",
    "foreign table": "drop-table",
    "table column": "drop-column",
    "foreign table column": "drop-column",
    "view": "drop-view",
    "materialized view": "drop-view",
    "type": "drop-type",
    "domain": "drop-type",
    "schema": "drop-schema",
    "sequence": "drop-sequence",
    "function": "drop-function",
    "procedure": "drop-function",
    "aggregate": "drop-function",
    "extension": "drop-extension",
    "trigger": "drop-trigger",
    "rule": "drop-trigger",
    "policy": "drop-policy",
    "default value": "drop-default",
    "index": "drop-index",
    "domain constraint": "drop-constraint",
    "statistics object": "",
    "view column": "",
    "materialized view column": "",
    "default acl": "",
}
NAMED = {"REINDEX", "CLUSTER", "REFRESH", "VACUUM"}  # what they do has rules of its own, which their text is enough for
BEYOND = {"SYSTEM", "DATABASE", "TABLESPACE", "ROLE", "USER", "GROUP", "SUBSCRIPTION"}
UNIQUE = {"p", "u", "x"}  # pg_constraint.contype
TEXTS = {"character varying", "text", "character"}
LENGTHS = {"character varying", "bit varying", "numeric", "timestamp without time zone", "timestamp with time zone", "interval"}
VERIFYING = re.compile(r'^verifying table "(?P<table>.*)"$')
BUILDING = re.compile(r'^building index "(?P<index>.*)" on table "(?P<table>.*)"')
VALIDATING = re.compile(r'^validating foreign key constraint "(?P<constraint>.*)"$')
NO_ROLE = re.compile(r'^role "(?P<role>.*)" does not exist$')
# What fails for want of rows, rights, time or an extension says nothing against the file.
ROWS_MISSING = re.compile(r"^(?:23|P0)")
UNTRIED = {"42501", "57014", "0A000", "58P01", "53100", "53200", "53300"}

Facts = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect of a statement. `detail` names what it was done to."""

    rule: str
    line: int
    detail: str = ""
    place: int = 0  # the very line in the statement, where it is known


@dataclass(slots=True)
class EffectReport:
    """What the witnesses say of one statement."""

    seen: list[tuple[str, str, str, str, int, int]]
    locks: set[tuple[int, str]]
    facts: dict[int, Facts]
    said: tuple[str, ...]


@dataclass(slots=True)
class Observer:
    """The scratch database while migrations are tried on it."""

    scratch: Scratch
    keep: bool
    relations: dict[int, Facts] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    mark: int = 0

    def listen(self, diagnostic: "psycopg.errors.Diagnostic") -> None:
        """Keep what the server says at DEBUG1."""
        if diagnostic.severity_nonlocalized == "DEBUG" or (diagnostic.severity or "").startswith("DEBUG"):
            self.said.append(diagnostic.message_primary or "")


def observe(
    scratch: Scratch, before: Sequence[Migration] | Schema, pending: Sequence[Migration], *, keep: bool = True
) -> dict[str, tuple[Effect, ...]]:
    """The effects of each pending file, on the schema that the files `before` have made, or on the environment's own.

    Without `keep` each file that runs in a transaction is taken back after it was looked at, so that all meet the same schema.
    Raises `Failure` when that schema cannot be made.
    """
    scratch.observer.execute(INSTALL)
    if isinstance(before, Schema):
        restore(scratch, before)
    scratch.owner.execute(DRIZZLE)
    if not isinstance(before, Schema):
        _replay(scratch, before)
    scratch.observer.execute(WATCH)
    observer = Observer(scratch, keep, _facts(scratch.observer.execute(ALL_FACTS).fetchone()))
    scratch.owner.add_notice_handler(observer.listen)
    found: dict[str, tuple[Effect, ...]] = {}
    for migration in pending:
        found[migration.file] = tuple(_file(observer, migration))
    return found


def _facts(row: tuple[object, ...] | None) -> dict[int, Facts]:
    return {int(oid): facts for oid, facts in cast("dict[str, Facts]", row[0]).items()} if row else {}


def _replay(scratch: Scratch, history: Sequence[Migration]) -> None:
    """Make the schema that applied files have left behind."""
    import psycopg

    for migration in history:
        _fresh(scratch)
        pieces = [migration.statements] if migration.transactional else [[statement] for statement in migration.statements]
        for piece in pieces:
            alone = len(piece) == 1 and isinstance(piece[0], Statement) and ALONE.search(piece[0].shape)
            try:
                if alone:
                    scratch.owner.execute(piece[0].text.encode())
                    continue
                with scratch.owner.transaction():
                    for part in piece:
                        _helped(scratch, part.text)
            except psycopg.Error as error:
                doing, cause = "making the environment's schema on the scratch database", f"{migration.file}: {str(error).strip()}"
                raise Failure(doing, cause, "The applied files do not make a schema by themselves.") from error


def _fresh(scratch: Scratch) -> None:
    """A session as a file finds it."""
    scratch.owner.execute("DISCARD ALL")
    scratch.owner.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())


def _helped(scratch: Scratch, text: str, before: str = "") -> None:
    """Run a statement. What the environment's server gives and a scratch server lacks is made first: a role, without any right, and
    an extension that only a superuser may create."""
    import psycopg

    for _ in range(8):
        try:
            with scratch.owner.transaction():
                if before:
                    scratch.owner.execute(before.encode())
                scratch.owner.execute(text.encode())
            return
        except psycopg.errors.InsufficientPrivilege:
            if not _creates_extension(text):
                raise
            scratch.observer.execute(text.encode())
            return
        except psycopg.errors.UndefinedObject as error:
            missing = NO_ROLE.match(error.diag.message_primary or "")
            if missing is None:
                raise
            quoted = missing["role"].replace('"', '""')
            if not scratch.observer.execute("SELECT FROM pg_roles WHERE rolname = %s", (missing["role"],)).fetchall():
                scratch.observer.execute(f'CREATE ROLE "{quoted}" NOLOGIN'.encode())
            user = scratch.owner.info.user.replace('"', '""')
            # The files' role may hand over what it owns to it, as the environment's user may.
            scratch.observer.execute(f'GRANT "{quoted}" TO "{user}"'.encode())
            # Inside a transaction a session hears of another's changes when it takes a lock that it did not hold.
            with scratch.owner.transaction(force_rollback=True):
                scratch.owner.execute("SELECT FROM pg_catalog.pg_seclabel LIMIT 0")


def _creates_extension(text: str) -> bool:
    found = [word.key for word in words(text)]
    return found[:2] == ["CREATE", "EXTENSION"] and ";" not in found[:-1]


# ---------------------------------------------------------------- one file


def _file(observer: Observer, migration: Migration) -> Iterator[Effect]:
    import psycopg

    _fresh(observer.scratch)
    owner, row = observer.scratch.owner, observer.scratch.observer.execute("SELECT nextai_gate.begin_file()").fetchone()
    observer.mark = int(str(row[0])) if row else 0
    before = dict(observer.relations)
    if not migration.transactional:
        for statement in migration.statements:
            yield from _tried(observer, statement, before, set(), alone=ALONE.search(statement.shape) is not None)
        return
    held: set[tuple[int, str]] = set()
    try:
        with owner.transaction(force_rollback=not observer.keep):
            for statement in migration.statements:
                yield from _tried(observer, statement, before, held)
    except psycopg.Error as error:  # deferred constraints are checked at the end
        yield Effect(*_failed(error, 1))
    if not observer.keep:
        observer.relations = before


def _tried(
    observer: Observer, statement: Statement, before: Mapping[int, Facts], held: set[tuple[int, str]], *, alone: bool = False
) -> Iterator[Effect]:
    import psycopg

    owner = observer.scratch.owner
    observer.said.clear()
    if _left_out(statement):
        return
    try:
        if alone:
            owner.execute("SET client_min_messages = debug1")
            owner.execute(statement.text.encode())
            report = _report(observer)
        else:
            with owner.transaction():
                _helped(observer.scratch, statement.text, "SET LOCAL client_min_messages = debug1")
                report = _report(observer)
    except psycopg.Error as error:
        if owner.closed:
            raise Failure("trying the migrations", f"the scratch database ended: {str(error).strip()}", "Run it again.") from error
        position = int(error.diag.statement_position or 0)
        yield Effect(*_failed(error, statement.line), statement.line + statement.text[: max(position - 1, 0)].count("\n"))
        return
    yield from _effects(observer, statement, report, before, held)
    held |= report.locks
    observer.relations.update(report.facts)
    for kind, _, type_, _, oid, _ in report.seen:
        if kind == "drop" and type_ in DROPPED and oid not in report.facts:
            observer.relations.pop(oid, None)


def _report(observer: Observer) -> EffectReport:
    said = tuple(observer.said)
    row = observer.scratch.owner.execute("SELECT nextai_gate.take()").fetchone()
    document = cast("dict[str, object]", row[0] if row else {})
    seen = cast("list[list[object]]", document["seen"] or [])
    locks = cast("list[list[object]]", document["locks"] or [])
    facts = cast("dict[str, Facts]", document["facts"])
    return EffectReport(
        [(str(k), str(tag), str(t), str(i), int(str(oid or 0)), int(str(sub or 0))) for k, tag, t, i, oid, sub in seen],
        {(int(str(oid)), str(mode)) for oid, mode in locks},
        {int(oid): one for oid, one in facts.items()},
        said,
    )


def _failed(error: "psycopg.Error", line: int) -> tuple[str, int, str]:
    state, message = error.sqlstate or "", error.diag.message_primary or str(error).strip()
    untried = state in UNTRIED or ROWS_MISSING.match(state)
    return ("untried" if untried else "fails", line, f"{message} [{state}]")


# ---------------------------------------------------------------- what the witnesses mean


def _effects(
    observer: Observer, statement: Statement, report: EffectReport, before: Mapping[int, Facts], held: set[tuple[int, str]]
) -> Iterator[Effect]:
    old = {oid: facts for oid, facts in before.items() if oid < observer.mark}
    found = [
        *_dropped(statement, report, old, observer.mark),
        *_rewritten(statement, report, old),
        *_changed(report, old, observer.relations),
        *_scanned(statement, report, old, held),
        *_rows(statement, report, old),
        *_replaced(statement, report, observer.mark),
        *_locked(report, old, held),
    ]
    # The scan belongs to these: whoever waives them knows of it.
    scanned = {"set-not-null", "add-required-column", "change-type"} & {rule for rule, _ in found}
    for rule, detail in dict.fromkeys(one for one in found if not (scanned and one[0] == "scan-table")):
        yield Effect(rule, statement.line, detail)


def _label(facts: Facts) -> str:
    return f"{facts['name']}" if facts["schema"] == "public" else f"{facts['schema']}.{facts['name']}"


def _dropped(statement: Statement, report: EffectReport, old: Mapping[int, Facts], mark: int) -> Iterator[tuple[str, str]]:
    constraints = {
        int(oid): str(kind) for facts in old.values() for oid, (_, kind) in cast("dict[str, list[str]]", facts["constraints"] or {}).items()
    }
    for kind, _, type_, identity, oid, sub in report.seen:
        if kind != "drop" or oid >= mark or (type_ == "trigger" and identity.startswith("nextai_gate_rows ")):
            continue
        if type_.endswith("column") and str(sub) not in cast("dict[str, object]", old.get(oid, {}).get("columns") or {}):
            continue
        if type_ == "table constraint":
            if (found := constraints.get(oid, "")) != "n":  # PostgreSQL 18 keeps NOT NULL as a constraint
                yield ("drop-unique" if found in UNIQUE else "drop-constraint"), identity
        elif type_ == "index" and "CONCURRENTLY" not in statement.shape.upper():
            yield "drop-index-lock", identity
        elif rule := DROPPED.get(type_, "drop-other"):
            yield rule, identity


def _rewritten(statement: Statement, report: EffectReport, old: Mapping[int, Facts]) -> Iterator[tuple[str, str]]:
    if _first(statement) in NAMED:
        return
    for kind, _, _, _, oid, _ in report.seen:
        if kind == "rewrite" and oid in old:
            yield "rewrite-table", _label(old[oid])
    explained = {oid for kind, tag, _, _, oid, _ in report.seen if kind == "rewrite" or tag == "TRUNCATE"}
    for oid, facts in report.facts.items():
        if oid in old and oid not in explained and facts["kind"] == "r" and facts["node"] != old[oid]["node"]:
            yield "rewrite-table", _label(old[oid])


def _changed(report: EffectReport, old: Mapping[int, Facts], now: Mapping[int, Facts]) -> Iterator[tuple[str, str]]:
    """What is other than after the statement before, of what was there before the file."""
    for oid, facts in report.facts.items():
        if oid not in old or oid not in now:
            continue
        was, label = now[oid], _label(now[oid])
        if (facts["name"], facts["schema"]) != (was["name"], was["schema"]):
            yield "rename", label
        if facts["owner"] != was["owner"]:
            yield "owner", label
        if facts["security"] != was["security"]:
            yield "row-security", label
        if set(cast("list[int]", was["parents"] or [])) - set(cast("list[int]", facts["parents"] or [])):
            yield "detach-partition", label
        triggers, others = cast("dict[str, str]", was["triggers"] or {}), cast("dict[str, str]", facts["triggers"] or {})
        if any(others.get(one, state) != state for one, state in triggers.items()):
            yield "disable-trigger", label
        for one in sorted(others.keys() - triggers.keys() - {"nextai_gate_rows"}):
            yield "create-trigger", f"{one} on {label}"
        yield from _columns(label, str(facts["name"]), report, was, facts)


def _columns(label: str, table: str, report: EffectReport, was: Facts, facts: Facts) -> Iterator[tuple[str, str]]:
    columns = cast("dict[str, list[object]]", was["columns"] or {})
    rewritten = any(kind == "rewrite" for kind, *_ in report.seen)
    built = any((match := BUILDING.match(said)) and match["table"] == table for said in report.said)
    verified = any((match := VERIFYING.match(said)) and match["table"] == table for said in report.said)
    for number, new in cast("dict[str, list[object]]", facts["columns"] or {}).items():
        name, type_, modifier, required, default, identity, generated = new
        if number not in columns:
            if required and not (default or identity or generated) and facts["kind"] in ("r", "p", "f"):
                yield "add-required-column", f"{label}.{name}"
            continue
        name_, type_was, modifier_was, required_was, default_was, identity_was, generated_was = columns[number]
        where = f"{label}.{name_}"
        if name != name_:
            yield "rename", where
        if (type_, modifier) != (type_was, modifier_was) and (rewritten or built or not _widened(str(type_was), str(type_))):
            yield "change-type", f"{where} from {type_was} to {type_}"
        if required and not required_was and verified:
            yield "set-not-null", where
        if required_was and not required:
            yield "drop-not-null", where
        if (default_was and not default) or (identity_was and not identity) or (generated_was and not generated):
            yield "drop-default", where
        if identity_was == "d" and identity == "a":
            yield "identity-always", where


def _widened(before: str, after: str) -> bool:
    """Whether a type without a rewrite is the same to whoever reads it. What PostgreSQL narrows, it rewrites."""
    return (before in TEXTS and after in TEXTS) or (before == after and before in LENGTHS)


def _scanned(statement: Statement, report: EffectReport, old: Mapping[int, Facts], held: set[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    """Whole tables that were read or indexed while others wait."""
    tables = {str(facts["name"]): oid for oid, facts in old.items() if oid in report.facts and facts["kind"] in ("r", "p")}
    validates, rewrites = _only_validates(statement), any(kind == "rewrite" for kind, *_ in report.seen)
    found = {word.key for word in words(statement.text)}
    builds_well = "CONCURRENTLY" in found or _first(statement) in NAMED or any(tag == "TRUNCATE" for _, tag, *_ in report.seen)
    for said in report.said:
        if match := BUILDING.match(said):
            if match["table"] in tables and not (builds_well or rewrites):
                yield "build-index", f"{match['index']} on {match['table']}"
        elif (match := VERIFYING.match(said)) and match["table"] in tables:
            yield from _scan(match["table"], tables[match["table"]], report, held, validates)
        elif match := VALIDATING.match(said):
            for table, oid in tables.items():
                names = cast("dict[str, list[str]]", report.facts[oid]["constraints"] or {}).values()
                if any(constraint == match["constraint"] and kind == "f" for constraint, kind in names):
                    yield from _scan(table, oid, report, held, validates)


def _scan(table: str, oid: int, report: EffectReport, held: set[tuple[int, str]], validates: bool) -> Iterator[tuple[str, str]]:
    if validates:
        if any(relation == oid for relation, _ in held):
            yield "validate-under-lock", table
    elif not any(kind == "rewrite" for kind, *_ in report.seen):
        yield "scan-table", table


def _left_out(statement: Statement) -> bool:
    """What is not run, since the reading refuses it: COPY, which waits for a client, transaction control, what is beyond the database."""
    found = [word.key for word in words(statement.text[:400])][:3]
    first, second = found[:1], found[1:2]
    if first and first[0] in CONTROL | {"COPY"}:
        return True
    if first == ["SET"] and ("TRANSACTION" in found or "CHARACTERISTICS" in found):
        return True
    return first in (["ALTER"], ["CREATE"], ["DROP"]) and not BEYOND.isdisjoint(second)


def _first(statement: Statement) -> str:
    return next((word.key for word in words(statement.text[:200])), "")


def _only_validates(statement: Statement) -> bool:
    """VALIDATE CONSTRAINT lets others read and write, if it is alone in its statement."""
    found = [word.key for word in words(statement.text)]
    return found[:2] == ["ALTER", "TABLE"] and "VALIDATE" in found and not {"ADD", "ALTER", "SET", "DROP"} & set(found[2:])


def _rows(statement: Statement, report: EffectReport, old: Mapping[int, Facts]) -> Iterator[tuple[str, str]]:
    first = _first(statement)
    for kind, operation, _, _, oid, _ in report.seen:
        if kind != "rows" or oid not in old:
            continue
        if operation == "TRUNCATE":
            yield "truncate", _label(old[oid])
        # The UPDATE of an INSERT is its ON CONFLICT, of rows that the file names; whether an INSERT copies rows, the reading says.
        elif first not in (("INSERT",) if operation != "INSERT" else ("INSERT", "DO", "WITH")):
            yield "moves-rows", _label(old[oid])


def _replaced(statement: Statement, report: EffectReport, mark: int) -> Iterator[tuple[str, str]]:
    first = _first(statement)
    for kind, tag, _, identity, oid, _ in report.seen:
        if kind == "command" and oid < mark and tag in ("CREATE VIEW", "CREATE FUNCTION", "CREATE PROCEDURE"):
            yield "replace", identity
        elif kind == "command" and tag == "ALTER DOMAIN" and oid < mark:
            yield "alter-domain", identity
        elif kind == "command" and tag == "REVOKE" and first not in ("REVOKE", "ALTER"):  # of what, PostgreSQL does not say
            yield "revoke", ""


def _locked(report: EffectReport, old: Mapping[int, Facts], held: Iterable[tuple[int, str]]) -> Iterator[tuple[str, str]]:
    for oid, mode in sorted(report.locks - set(held)):
        if oid in old:
            spelled = re.sub(r"(?<!^)(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()
            yield "locks", f"{_label(old[oid])} in {spelled} mode"
