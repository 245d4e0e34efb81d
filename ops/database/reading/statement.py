"""The rules that one statement is about, by its own words: a function for each keyword that it may begin with."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ops.database.reading.alter import alter
from ops.database.reading.rows import CHANGES, insert, moves, query_behind_as, with_
from ops.database.reading.settings import set_
from ops.database.reading.world import World, all_own, defines, into, made_by
from ops.database.words import Word, keys, name

DROPS = {
    "TABLE": "drop-table",
    "SCHEMA": "drop-schema",
    "TYPE": "drop-type",
    "DOMAIN": "drop-type",
    "VIEW": "drop-view",
    "SEQUENCE": "drop-sequence",
    "FUNCTION": "drop-function",
    "PROCEDURE": "drop-function",
    "ROUTINE": "drop-function",
    "AGGREGATE": "drop-function",
    "EXTENSION": "drop-extension",
    "TRIGGER": "drop-trigger",
    "RULE": "drop-trigger",
    "POLICY": "drop-policy",
    "ROLE": "drop-role",
    "USER": "drop-role",
    "GROUP": "drop-role",
    "DATABASE": "alter-server",
    "TABLESPACE": "alter-server",
    "STATISTICS": "",
}
CONTROL = {"BEGIN", "START", "COMMIT", "ROLLBACK", "END", "ABORT", "SAVEPOINT", "RELEASE"}


def rules(found: Sequence[Word], world: World, *, inner: bool) -> Iterator[str]:
    """The rules that one statement is about, by its own words."""
    first, rest = found[0].key, keys(found)
    handler = HANDLERS.get(first)
    if handler is not None:
        yield from handler(found, world)
    elif first in CONTROL and not (inner and first in ("BEGIN", "END")):
        yield "transaction-control"
    elif first in ("(", "SELECT", "VALUES", "TABLE", "WITH") and not inner and into(found):
        yield "moves-rows"
    # A change of rows may stand in parentheses behind WITH, and there alone.
    if any(key in CHANGES and before == "(" for before, key in pairwise(rest)) and not defines(found):
        yield "moves-rows"


def _drop(found: Sequence[Word], world: World) -> Iterator[str]:
    at = 1
    while at < len(found) and found[at].key in ("MATERIALIZED", "FOREIGN", "EVENT", "ACCESS", "OPERATOR", "TEXT"):
        at += 1
    kind = found[at].key if at < len(found) else ""
    if kind == "INDEX":
        if "CONCURRENTLY" not in keys(found) and not all_own(found, at + 1, world):
            yield "drop-index-lock"
        return
    rule = DROPS.get(kind, "drop-other")
    if rule in ("drop-function", "drop-role", "alter-server") or (rule and not all_own(found, at + 1, world)):
        yield rule


def _truncate(found: Sequence[Word], world: World) -> Iterator[str]:
    if not all_own([word for word in found if word.key not in ("RESTART", "IDENTITY", "CASCADE", "CONTINUE", "RESTRICT")], 1, world):
        yield "truncate"


def _create(found: Sequence[Word], world: World) -> Iterator[str]:
    rest = keys(found)
    kind = made_by(found)[0]
    if kind == "TABLE" and "AS" in rest and query_behind_as(found):
        yield "dynamic-sql" if rest[rest.index("AS") + 1 :][:1] == ("EXECUTE",) else "moves-rows"
    elif kind == "RULE":
        yield "create-rule"
    elif kind in ("TRIGGER", "POLICY") and "ON" in rest:
        shown, _ = name(found, rest.index("ON") + 1)
        if not world.own(shown):
            yield "create-trigger" if kind == "TRIGGER" else "create-policy"
    elif kind in ("DATABASE", "TABLESPACE", "SUBSCRIPTION") or rest[1:3] == ("EVENT", "TRIGGER"):
        yield "alter-server"


def _revoke(found: Sequence[Word], world: World) -> Iterator[str]:
    rest = keys(found)
    if "ON" in rest and "FROM" in rest:
        begin, end = rest.index("ON") + 1, len(rest) - 1 - rest[::-1].index("FROM")
        if begin < end and found[begin].key in ("TABLE", "SEQUENCE", "FUNCTION", "PROCEDURE", "ROUTINE", "SCHEMA", "TYPE", "DOMAIN"):
            begin += 1
        if all_own(found[:end], begin, world):
            return
    yield "revoke"


def _lock(found: Sequence[Word], world: World) -> Iterator[str]:
    rest = keys(found)
    end = rest.index("IN") if "IN" in rest else len(rest)
    if not all_own(found[:end], 1, world):
        yield "lock-table"


def _reindex(found: Sequence[Word], world: World) -> Iterator[str]:
    if "CONCURRENTLY" not in keys(found) and not all_own(found, 2, world):
        yield "reindex"


def _vacuum(found: Sequence[Word], _: World) -> Iterator[str]:
    if "FULL" in keys(found[:8]):
        yield "vacuum-full"


def _cluster(found: Sequence[Word], world: World) -> Iterator[str]:
    if not all_own(found, 1, world):
        yield "cluster"


def _refresh(found: Sequence[Word], _: World) -> Iterator[str]:
    rest = keys(found)
    if "CONCURRENTLY" not in rest and rest[-2:] != ("NO", "DATA"):
        yield "refresh-view"


def _prepare(found: Sequence[Word], _: World) -> Iterator[str]:
    if found[1:2] and found[1].key == "TRANSACTION":
        yield "transaction-control"


def _load(_: Sequence[Word], __: World) -> Iterator[str]:
    yield "alter-server"


def _other_owner(found: Sequence[Word], _: World) -> Iterator[str]:
    yield "owner"


HANDLERS = {
    "DROP": _drop,
    "ALTER": alter,
    "TRUNCATE": _truncate,
    "UPDATE": moves,
    "DELETE": moves,
    "MERGE": moves,
    "COPY": moves,
    "INSERT": insert,
    "WITH": with_,
    "CREATE": _create,
    "REVOKE": _revoke,
    "LOCK": _lock,
    "REINDEX": _reindex,
    "VACUUM": _vacuum,
    "CLUSTER": _cluster,
    "REFRESH": _refresh,
    "SET": set_,
    "RESET": set_,
    "DISCARD": set_,
    "PREPARE": _prepare,
    "LOAD": _load,
    "REASSIGN": _other_owner,
}
