"""What the witnesses' reports mean: the rules that a statement is about. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast

from ops.database.sql import Statement
from ops.database.witness import EffectReport, RelationFacts
from ops.database.words import words

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
UNIQUE = {"p", "u", "x"}  # pg_constraint.contype
TEXTS = {"character varying", "text", "character"}
LENGTHS = {"character varying", "bit varying", "numeric", "timestamp without time zone", "timestamp with time zone", "interval"}
VERIFYING = re.compile(r'^verifying table "(?P<table>.*)"$')
BUILDING = re.compile(r'^building index "(?P<index>.*)" on table "(?P<table>.*)"')
VALIDATING = re.compile(r'^validating foreign key constraint "(?P<constraint>.*)"$')


@dataclass(slots=True)
class Moment:
    """The database when a statement begins. `old`: what was there before the file, by OID; `now`: how that is after the statement before;
    `held`: the relations that earlier statements of the transaction have locked; `mark`: the first OID of the file's own objects."""

    mark: int
    old: Mapping[int, RelationFacts]
    now: dict[int, RelationFacts]
    held: set[int] = field(default_factory=set)
    _constraints: dict[int, str] = field(default_factory=dict)

    @property
    def constraints(self) -> Mapping[int, str]:
        """The kind of each constraint that was there before the file (pg_constraint.contype), by its OID; put together once."""
        if not self._constraints:
            tables = (cast("dict[str, list[str]]", facts["constraints"] or {}) for facts in self.old.values())
            self._constraints = {int(oid): kind for table in tables for oid, (_, kind) in table.items()}
        return self._constraints

    def after(self, report: EffectReport) -> None:
        """Go on to the next statement."""
        self.held |= {oid for oid, _ in report.locks}
        self.now.update(report.facts)
        for event in report.seen:
            if event.kind == "drop" and event.type in DROPPED and event.oid not in report.facts:
                self.now.pop(event.oid, None)


def effects_of(statement: Statement, report: EffectReport, moment: Moment) -> list[tuple[str, str]]:
    """The rules that a statement is about, each with what it was done to."""
    old = moment.old
    found = [
        *_dropped(statement, report, moment),
        *_rewritten(statement, report, old),
        *_changed(report, moment),
        *_scanned(statement, report, moment),
        *_rows(statement, report, old),
        *_replaced(statement, report, moment.mark),
        *_locked(report, old),
    ]
    # The scan belongs to these: whoever waives them knows of it.
    scanned = {"set-not-null", "add-required-column", "change-type"} & {rule for rule, _ in found}
    return list(dict.fromkeys(one for one in found if not (scanned and one[0] == "scan-table")))


def _label(facts: RelationFacts) -> str:
    return f"{facts['name']}" if facts["schema"] == "public" else f"{facts['schema']}.{facts['name']}"


def _dropped(statement: Statement, report: EffectReport, moment: Moment) -> Iterator[tuple[str, str]]:
    drops = [event for event in report.seen if event.kind == "drop" and event.oid < moment.mark]
    for event in drops:
        if event.type == "trigger" and event.identity.startswith("nextai_gate_rows "):
            continue
        columns = cast("dict[str, object]", moment.old.get(event.oid, {}).get("columns") or {})
        if event.type.endswith("column") and str(event.sub) not in columns:
            continue
        if event.type == "table constraint":
            if (found := moment.constraints.get(event.oid, "")) != "n":  # PostgreSQL 18 keeps NOT NULL as a constraint
                yield ("drop-unique" if found in UNIQUE else "drop-constraint"), event.identity
        elif event.type == "index" and "CONCURRENTLY" not in statement.shape.upper():
            yield "drop-index-lock", event.identity
        elif rule := DROPPED.get(event.type, "drop-other"):
            yield rule, event.identity


def _rewritten(statement: Statement, report: EffectReport, old: Mapping[int, RelationFacts]) -> Iterator[tuple[str, str]]:
    if _first(statement) in NAMED:
        return
    for event in report.seen:
        if event.kind == "rewrite" and event.oid in old:
            yield "rewrite-table", _label(old[event.oid])
    explained = {event.oid for event in report.seen if event.kind == "rewrite" or event.tag == "TRUNCATE"}
    for oid, facts in report.facts.items():
        if oid in old and oid not in explained and facts["kind"] == "r" and facts["node"] != old[oid]["node"]:
            yield "rewrite-table", _label(old[oid])


def _changed(report: EffectReport, moment: Moment) -> Iterator[tuple[str, str]]:
    """What is other than after the statement before, of what was there before the file."""
    for oid, facts in report.facts.items():
        if oid not in moment.old or oid not in moment.now:
            continue
        was, label = moment.now[oid], _label(moment.now[oid])
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
        yield from _columns(label, report, was, facts)


def _columns(label: str, report: EffectReport, was: RelationFacts, facts: RelationFacts) -> Iterator[tuple[str, str]]:
    columns = cast("dict[str, list[object]]", was["columns"] or {})
    built = any((match := BUILDING.match(said)) and match["table"] == facts["name"] for said in report.said)
    verified = any((match := VERIFYING.match(said)) and match["table"] == facts["name"] for said in report.said)
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
        if (type_, modifier) != (type_was, modifier_was) and (report.rewrites or built or not _widened(str(type_was), str(type_))):
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


def _scanned(statement: Statement, report: EffectReport, moment: Moment) -> Iterator[tuple[str, str]]:
    """Whole tables that were read or indexed while others wait."""
    if not report.said:
        return
    touched = {oid: moment.old[oid] for oid in report.facts if oid in moment.old}
    tables = {str(facts["name"]): oid for oid, facts in touched.items() if facts["kind"] in ("r", "p")}
    scanned = partial(_scan, report=report, held=moment.held, validates=_only_validates(statement))
    found = {word.key for word in words(statement.text)}
    builds_well = "CONCURRENTLY" in found or _first(statement) in NAMED or any(event.tag == "TRUNCATE" for event in report.seen)
    for said in report.said:
        if match := BUILDING.match(said):
            if match["table"] in tables and not (builds_well or report.rewrites):
                yield "build-index", f"{match['index']} on {match['table']}"
        elif (match := VERIFYING.match(said)) and match["table"] in tables:
            yield from scanned(match["table"], tables[match["table"]])
        elif match := VALIDATING.match(said):
            for table, oid in tables.items():
                names = cast("dict[str, list[str]]", report.facts[oid]["constraints"] or {}).values()
                if any(constraint == match["constraint"] and kind == "f" for constraint, kind in names):
                    yield from scanned(table, oid)


def _scan(table: str, oid: int, *, report: EffectReport, held: set[int], validates: bool) -> Iterator[tuple[str, str]]:
    """What it means that a whole table was read by a statement, which only `validates` or does more."""
    if validates:
        if oid in held:
            yield "validate-under-lock", table
    elif not report.rewrites:
        yield "scan-table", table


def _first(statement: Statement) -> str:
    return next((word.key for word in words(statement.text[:200])), "")


def _only_validates(statement: Statement) -> bool:
    """VALIDATE CONSTRAINT lets others read and write, if it is alone in its statement."""
    found = [word.key for word in words(statement.text)]
    return found[:2] == ["ALTER", "TABLE"] and "VALIDATE" in found and not {"ADD", "ALTER", "SET", "DROP"} & set(found[2:])


def _rows(statement: Statement, report: EffectReport, old: Mapping[int, RelationFacts]) -> Iterator[tuple[str, str]]:
    first = _first(statement)
    for event in report.seen:
        if event.kind != "rows" or event.oid not in old:
            continue
        if event.tag == "TRUNCATE":
            yield "truncate", _label(old[event.oid])
        # The UPDATE of an INSERT is its ON CONFLICT, of rows that the file names; whether an INSERT copies rows, the reading says.
        elif first not in (("INSERT",) if event.tag != "INSERT" else ("INSERT", "DO", "WITH")):
            yield "moves-rows", _label(old[event.oid])


def _replaced(statement: Statement, report: EffectReport, mark: int) -> Iterator[tuple[str, str]]:
    first = _first(statement)
    for event in (event for event in report.seen if event.kind == "command"):
        if event.tag in ("CREATE VIEW", "CREATE FUNCTION", "CREATE PROCEDURE") and event.oid < mark:
            yield "replace", event.identity
        elif event.tag == "ALTER DOMAIN" and event.oid < mark:
            yield "alter-domain", event.identity
        elif event.tag == "REVOKE" and first not in ("REVOKE", "ALTER"):  # of what, PostgreSQL does not say
            yield "revoke", ""


def _locked(report: EffectReport, old: Mapping[int, RelationFacts]) -> Iterator[tuple[str, str]]:
    for oid, mode in sorted(report.locks):
        if oid in old:
            spelled = re.sub(r"(?<!^)(?=[A-Z])", " ", mode.removesuffix("Lock")).upper()
            yield "locks", f"{_label(old[oid])} in {spelled} mode"
