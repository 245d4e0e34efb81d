"""What an ALTER says that it changes."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ops.database.reading.world import World
from ops.database.words import Word, cut, keys, name


def alter(found: Sequence[Word], world: World) -> Iterator[str]:
    """The rules that an ALTER is about; none where what it changes is the file's own."""
    rest = keys(found)
    at = 2 if rest[1:2] != ("FOREIGN",) and rest[1:2] != ("MATERIALIZED",) else 3
    kind = found[at - 1].key if at - 1 < len(found) else ""
    if kind in ("SYSTEM", "DATABASE", "TABLESPACE"):
        yield "alter-server"
    elif kind in ("ROLE", "USER", "GROUP"):
        yield "alter-role"
    elif kind == "DEFAULT":
        if "REVOKE" in rest:
            yield "revoke"
    elif kind == "POLICY":
        yield "alter-policy"
    elif kind == "EXTENSION":
        yield "alter-extension"
    elif kind not in ("INDEX", "TRIGGER", "EVENT", "PUBLICATION", "SUBSCRIPTION", "STATISTICS", "LARGE"):
        yield from _alter_object(kind, found, at, world)


def _alter_object(kind: str, found: Sequence[Word], at: int, world: World) -> Iterator[str]:
    while at < len(found) and found[at].key in ("IF", "EXISTS", "ONLY"):
        at += 1
    named, end = name(found, at)
    if kind not in ("TYPE", "DOMAIN") and world.own(named, qualified=end - at > 1):
        return
    if end < len(found) and found[end].key == "*":
        end += 1
    if end < len(found) and found[end].key == "(":  # a function's arguments
        end = next((at for at in range(end, len(found)) if found[at].key == ")"), end) + 1
    actions = found[end:]
    for action in cut(actions, ","):
        if action:
            yield from _action(kind, action)


def _action(kind: str, action: Sequence[Word]) -> Iterator[str]:
    rest = keys(action)
    if ("RENAME" in rest[:1] and rest[1:2] != ("CONSTRAINT",)) or rest[:2] == ("SET", "SCHEMA"):
        yield "rename" if kind in ("TABLE", "VIEW", "SEQUENCE") else "rename-type"
    elif rest[:2] == ("OWNER", "TO"):
        yield "owner"
    elif kind == "DOMAIN":
        if rest[:1] != ("RENAME",):
            yield "alter-domain"
    elif kind == "TYPE":
        if rest[:2] == ("DROP", "ATTRIBUTE"):
            yield "drop-attribute"
        elif rest[:2] == ("ALTER", "ATTRIBUTE"):
            yield "change-attribute"
    elif kind == "SEQUENCE":
        yield "alter-sequence"
    elif kind in ("TABLE", "VIEW"):
        yield from _table_action(action)


def _table_action(action: Sequence[Word]) -> Iterator[str]:
    rest = keys(action)
    first = rest[0]
    if first == "DROP":
        yield "drop-constraint" if rest[1:2] == ("CONSTRAINT",) else "drop-column"
    elif first == "ALTER":
        at = 2 if rest[1:2] == ("COLUMN",) and len(rest) > 3 else 1
        yield from _column_action(rest[at + 1 :])
    elif first == "ADD":
        yield from _added(action)
    elif "ROW" in rest and "SECURITY" in rest:
        yield "row-security"
    elif first in ("DISABLE", "ENABLE"):
        yield "disable-trigger"
    elif first == "DETACH" or rest[:2] == ("NO", "INHERIT"):
        yield "detach-partition"
    elif first == "SET" and rest[1:2] and rest[1] in ("LOGGED", "UNLOGGED", "TABLESPACE", "ACCESS"):
        yield "rewrite-table"


def _column_action(rest: Sequence[str]) -> Iterator[str]:
    two = tuple(rest[:2])
    if two in (("DROP", "DEFAULT"), ("DROP", "IDENTITY"), ("DROP", "EXPRESSION")):
        yield "drop-default"
    elif tuple(rest[:3]) == ("DROP", "NOT", "NULL"):
        yield "drop-not-null"
    elif tuple(rest[:3]) == ("SET", "NOT", "NULL"):
        yield "set-not-null"
    elif "TYPE" in rest[:1] or tuple(rest[:3]) == ("SET", "DATA", "TYPE"):
        yield "change-type"
    elif tuple(rest[:3]) == ("SET", "GENERATED", "ALWAYS"):
        yield "identity-always"


def _added(action: Sequence[Word]) -> Iterator[str]:
    rest = keys(action)
    if rest[1:2] and rest[1] in ("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "NOT"):
        return
    at = 2 if rest[1:2] == ("COLUMN",) else 1
    at += 3 if rest[at : at + 3] == ("IF", "NOT", "EXISTS") else 0
    definition = [word for word in action[at + 1 :] if word.kind == "word"]
    said = keys(definition)
    required = ("NOT", "NULL") in pairwise(said) or "PRIMARY" in said
    filled = {"DEFAULT", "GENERATED", "SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL2", "SERIAL4", "SERIAL8"} & set(said)
    if required and not filled:
        yield "add-required-column"
    if {"SERIAL", "BIGSERIAL", "SMALLSERIAL", "SERIAL2", "SERIAL4", "SERIAL8", "STORED"} & set(said) or (
        "GENERATED" in said and "IDENTITY" in said
    ):
        yield "rewrite-table"
