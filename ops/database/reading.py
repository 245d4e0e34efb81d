"""What the text of a migration says that it does: the means beside the scratch database.

It sees what running cannot: code behind a condition that was not met, loops over rows that a scratch database does not have, text that
is put together, functions that are called. Inside a body (DO, a called function, a constant EXECUTE) every statement counts, reached or
not. Outside, a statement's text is only one witness of two (`weigh` weighs them).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ops.database.words import Word, cut, keys, name, words

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
LIMITS = {
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "deadlock_timeout",
}
SETTINGS = {
    "role",
    "session_authorization",
    "session_replication_role",
    "row_security",
    "event_triggers",
    "standard_conforming_strings",
    "backslash_quote",
    "escape_string_warning",
    "client_encoding",
    "track_functions",
    "zero_damaged_pages",
    "ignore_system_indexes",
    "default_transaction_read_only",
}
CONTROL = {"BEGIN", "START", "COMMIT", "ROLLBACK", "END", "ABORT", "SAVEPOINT", "RELEASE"}
RUNS_TEXT = {"dblink", "dblink_exec", "dblink_send_query", "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "ts_stat"}
CHANGES = {"UPDATE", "DELETE", "INSERT", "MERGE"}
# After these a statement of PL/pgSQL may begin.
CUTS = {"BEGIN", "THEN", "ELSE", "LOOP", "QUERY", ">>", "ATOMIC"}
STARTS = {*CHANGES, "WITH", "EXECUTE", "TRUNCATE"}
DEPTH = 8  # of bodies in bodies


@dataclass(frozen=True, slots=True)
class StatementFinding:
    """One thing that a statement says. `inner`: it stands in a body, so it counts whether it was reached or not."""

    rule: str
    line: int
    inner: bool = False


@dataclass(slots=True)
class World:
    """What the reading knows: what the file itself has made, and the functions of all files so far."""

    made: set[str] = field(default_factory=set)
    temporary: set[str] = field(default_factory=set)
    functions: dict[str, list[tuple[Word, ...]]] = field(default_factory=dict)

    def next_file(self) -> "World":
        """The world at the begin of the next file."""
        return World(functions=self.functions)

    def own(self, found: str, *, qualified: bool = False) -> bool:
        """Whether a name is one of the file's own; a temporary table lies before another of its name, unless a schema is named."""
        return found in self.made or (found in self.temporary and not qualified)


def read(text: str, line: int, world: World) -> tuple[StatementFinding, ...]:
    """What one statement of a file says; what it makes is added to the world."""
    found = words(text)
    if not found:
        return ()
    seen = tuple(
        dict.fromkeys(StatementFinding(said.rule, line + said.line, said.inner) for said in _statement(found, world, inner=False, depth=0))
    )
    _remember(found, world)
    return seen


def _statement(found: Sequence[Word], world: World, *, inner: bool, depth: int) -> Iterator[StatementFinding]:
    """Everything that one statement says, with what it runs."""
    line = found[0].line
    for rule in dict.fromkeys(_rules(found, world, inner=inner)):
        yield StatementFinding(rule, line, inner)
    if depth > DEPTH:
        yield StatementFinding("dynamic-sql", line, inner)
        return
    first = found[0].key
    if first == "DO":
        yield from _block(found, world, depth)
    elif first == "EXECUTE" and inner:
        yield from _execute(found, world, depth)
    elif first == "PREPARE" and "AS" in keys(found):
        yield from _statement(found[keys(found).index("AS") + 1 :] or found[-1:], world, inner=inner, depth=depth + 1)
    elif first == "EXPLAIN":
        begin = next((at for at, word in enumerate(found) if word.key in STARTS | {"SELECT", "CREATE", "REFRESH"}), None)
        if begin:
            yield from _statement(found[begin:], world, inner=inner, depth=depth + 1)
    if not (first in ("DROP", "ALTER", "COMMENT", "GRANT", "REVOKE") or (first == "CREATE" and _defines(found))):
        yield from _calls(found, world, depth)


def _block(found: Sequence[Word], world: World, depth: int) -> Iterator[StatementFinding]:
    language = found[keys(found).index("LANGUAGE") + 1].value if "LANGUAGE" in keys(found)[:-1] else "plpgsql"
    if language.lower() not in ("plpgsql", "sql"):
        yield StatementFinding("dynamic-sql", found[0].line, inner=True)
    for at, word in enumerate(found):
        if word.kind == "string" and found[at - 1].key != "LANGUAGE":
            yield from _body(words(word.value), word.line, world, depth)


def _body(found: Sequence[Word], line: int, world: World, depth: int) -> Iterator[StatementFinding]:
    """Every statement of a body: it may be reached another time, so all count. What it makes is not the file's own."""
    for part in _candidates(found):
        for said in _statement(part, world, inner=True, depth=depth + 1):
            yield StatementFinding(said.rule, line + said.line, inner=True)


def _candidates(found: Sequence[Word]) -> Iterator[tuple[Word, ...]]:
    """A body cut wherever a statement may begin. A cut too many does no harm: what follows it must look like a statement."""
    part: list[Word] = []
    for at, word in enumerate(found):
        if word.key == ";":
            if part:
                yield tuple(part)
            part = []
            continue
        part.append(word)
        after = found[at + 1].key if at + 1 < len(found) else ""
        if word.key in CUTS or (word.key == "IN" and after in STARTS) or (word.key in ("FOR", "AS") and _cursor(found, at + 1)):
            yield tuple(part)
            part = []
    if part:
        yield tuple(part)


def _cursor(found: Sequence[Word], at: int) -> bool:
    """Whether the statement of a cursor begins here, and not a lock clause (FOR UPDATE)."""
    if at >= len(found) or found[at].key not in STARTS:
        return False
    return found[at].key != "UPDATE" or "SET" in keys(found[at : at + 8])


def _execute(found: Sequence[Word], world: World, depth: int) -> Iterator[StatementFinding]:
    """EXECUTE in PL/pgSQL: a constant is read as what it is, all else cannot be read."""
    if found[1:2] and found[1].key in ("FUNCTION", "PROCEDURE"):  # of a trigger
        return
    constant = len(found) > 1 and found[1].kind == "string" and (len(found) == 2 or found[2].key in ("USING", "INTO", "LOOP"))
    if not constant:
        yield StatementFinding("dynamic-sql", found[0].line, inner=True)
        return
    yield from _body(words(found[1].value), found[1].line, world, depth)


def _calls(found: Sequence[Word], world: World, depth: int) -> Iterator[StatementFinding]:
    """The bodies of the files' own functions that a statement names with an argument list."""
    for at, word in enumerate(found[:-1]):
        if word.kind in ("word", "name") and found[at + 1].key == "(":
            for body in world.functions.get(word.value, ()):
                known = World(world.made, world.temporary, {k: v for k, v in world.functions.items() if k != word.value})
                for said in _body(body, 0, known, depth):
                    yield StatementFinding(said.rule, word.line, inner=True)
            if word.value in RUNS_TEXT:
                yield StatementFinding("dynamic-sql", word.line, inner=True)
            if word.value == "set_config":
                yield from _setting(found, at + 2)


def _setting(found: Sequence[Word], at: int) -> Iterator[StatementFinding]:
    argument = found[at] if at < len(found) else None
    if argument is None or argument.kind != "string" or (at + 1 < len(found) and found[at + 1].key != ","):
        yield StatementFinding("setting", found[0].line, inner=True)
    elif rule := _of_setting(argument.value.lower()):
        yield StatementFinding(rule, argument.line, inner=True)


def _of_setting(setting: str) -> str:
    return "time-limit" if setting in LIMITS else "setting" if setting in SETTINGS else ""


# ---------------------------------------------------------------- one statement


def _rules(found: Sequence[Word], world: World, *, inner: bool) -> Iterator[str]:
    """The rules that one statement is about, by its own words."""
    first, rest = found[0].key, keys(found)
    handler = HANDLERS.get(first)
    if handler is not None:
        yield from handler(found, world)
    elif first in CONTROL and not (inner and first in ("BEGIN", "END")):
        yield "transaction-control"
    elif first in ("(", "SELECT", "VALUES", "TABLE", "WITH") and not inner and _into(found):
        yield "moves-rows"
    # A change of rows may stand in parentheses behind WITH, and there alone.
    if any(key in CHANGES and before == "(" for before, key in pairwise(rest)) and not _defines(found):
        yield "moves-rows"


def _into(found: Sequence[Word]) -> bool:
    """SELECT … INTO makes a table of rows."""
    depth = 0
    for word in found:
        depth += {"(": 1, ")": -1}.get(word.key, 0)
        if word.key == "INTO" and depth == 0:
            return True
    return False


def _drop(found: Sequence[Word], world: World) -> Iterator[str]:
    at = 1
    while at < len(found) and found[at].key in ("MATERIALIZED", "FOREIGN", "EVENT", "ACCESS", "OPERATOR", "TEXT"):
        at += 1
    kind = found[at].key if at < len(found) else ""
    if kind == "INDEX":
        if "CONCURRENTLY" not in keys(found) and not _all_own(found, at + 1, world):
            yield "drop-index-lock"
        return
    rule = DROPS.get(kind, "drop-other")
    if rule in ("drop-function", "drop-role", "alter-server") or (rule and not _all_own(found, at + 1, world)):
        yield rule


def _all_own(found: Sequence[Word], at: int, world: World) -> bool:
    """Whether all names of a list are the file's own."""
    skipped = ("IF", "EXISTS", "ONLY", "CONCURRENTLY", "TABLE")
    named: list[bool] = []
    for part in cut(found[at:], ","):
        begin = next((place for place, word in enumerate(part) if word.key not in skipped), len(part))
        shown, end = name(part, begin)
        if shown:
            named.append(world.own(shown, qualified=end - begin > 1))
    return bool(named) and all(named)


def _alter(found: Sequence[Word], world: World) -> Iterator[str]:
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


def _moves(found: Sequence[Word], world: World) -> Iterator[str]:
    at = 1
    while at < len(found) and found[at].key in ("FROM", "INTO", "ONLY"):
        at += 1
    shown, end = name(found, at)
    if found[0].key == "UPDATE" and "SET" not in keys(found):
        return
    query = found[0].key == "COPY" and found[1:2] and found[1].key == "("
    if query or not world.own(shown, qualified=end - at > 1):
        yield "moves-rows"


def _insert(found: Sequence[Word], world: World) -> Iterator[str]:
    """INSERT … VALUES writes what the file says; anything else copies rows."""
    at = 2
    _, at = name(found, at)
    if at < len(found) and found[at].key == "AS":
        at += 2
    depth = 0
    while at < len(found):
        depth += {"(": 1, ")": -1}.get(found[at].key, 0)
        if depth == 0 and found[at].key in ("VALUES", "SELECT", "TABLE", "WITH"):
            break
        if depth == 1 and found[at].key in ("SELECT", "WITH", "TABLE", "VALUES") and found[at - 1].key == "(":
            break
        at += 1
    if at < len(found) and found[at].key != "VALUES" and _reads_others(found[at:], world):
        yield "moves-rows"


def _reads_others(found: Sequence[Word], world: World) -> bool:
    """Whether a query may read rows of a table that the file has not made; a query without FROM makes one row, or calls something."""
    sources = [at for at, word in enumerate(found) if word.key in ("FROM", "JOIN", "TABLE", "USING")]
    if not sources:
        return any(word.key == "(" and found[at - 1].kind in ("word", "name") for at, word in enumerate(found) if at)
    for at in sources:
        begin = at + 1
        while begin < len(found) and found[begin].key in ("ONLY", "LATERAL"):
            begin += 1
        shown, end = name(found, begin)
        listed = end < len(found) and found[end].key == ","
        if not shown or listed or not world.own(shown, qualified=end - begin > 1):
            return True
    return False


def _with(found: Sequence[Word], _: World) -> Iterator[str]:
    if any(word.key in CHANGES for word in found):
        yield "moves-rows"


def _truncate(found: Sequence[Word], world: World) -> Iterator[str]:
    if not _all_own([word for word in found if word.key not in ("RESTART", "IDENTITY", "CASCADE", "CONTINUE", "RESTRICT")], 1, world):
        yield "truncate"


def _create(found: Sequence[Word], world: World) -> Iterator[str]:
    rest = keys(found)
    kind = _made(found)[0]
    if kind == "TABLE" and "AS" in rest and _query_behind_as(found):
        yield "dynamic-sql" if rest[rest.index("AS") + 1 :][:1] == ("EXECUTE",) else "moves-rows"
    elif kind == "RULE":
        yield "create-rule"
    elif kind in ("TRIGGER", "POLICY") and "ON" in rest:
        shown, _ = name(found, rest.index("ON") + 1)
        if not world.own(shown):
            yield "create-trigger" if kind == "TRIGGER" else "create-policy"
    elif kind in ("DATABASE", "TABLESPACE", "SUBSCRIPTION") or rest[1:3] == ("EVENT", "TRIGGER"):
        yield "alter-server"


def _query_behind_as(found: Sequence[Word]) -> bool:
    depth = 0
    for word, after in pairwise(found):
        depth += {"(": 1, ")": -1}.get(word.key, 0)
        if word.key == "AS" and depth == 0 and after.key in ("SELECT", "WITH", "TABLE", "VALUES", "EXECUTE", "("):
            return True
    return False


def _revoke(found: Sequence[Word], world: World) -> Iterator[str]:
    rest = keys(found)
    if "ON" in rest and "FROM" in rest:
        begin, end = rest.index("ON") + 1, len(rest) - 1 - rest[::-1].index("FROM")
        if begin < end and found[begin].key in ("TABLE", "SEQUENCE", "FUNCTION", "PROCEDURE", "ROUTINE", "SCHEMA", "TYPE", "DOMAIN"):
            begin += 1
        if _all_own(found[:end], begin, world):
            return
    yield "revoke"


def _lock(found: Sequence[Word], world: World) -> Iterator[str]:
    rest = keys(found)
    end = rest.index("IN") if "IN" in rest else len(rest)
    if not _all_own(found[:end], 1, world):
        yield "lock-table"


def _reindex(found: Sequence[Word], world: World) -> Iterator[str]:
    if "CONCURRENTLY" not in keys(found) and not _all_own(found, 2, world):
        yield "reindex"


def _vacuum(found: Sequence[Word], _: World) -> Iterator[str]:
    if "FULL" in keys(found[:8]):
        yield "vacuum-full"


def _cluster(found: Sequence[Word], world: World) -> Iterator[str]:
    if not _all_own(found, 1, world):
        yield "cluster"


def _refresh(found: Sequence[Word], _: World) -> Iterator[str]:
    rest = keys(found)
    if "CONCURRENTLY" not in rest and rest[-2:] != ("NO", "DATA"):
        yield "refresh-view"


def _set(found: Sequence[Word], _: World) -> Iterator[str]:
    at = 1
    while at < len(found) and found[at].key in ("SESSION", "LOCAL"):
        at += 1
    if at >= len(found):
        return
    setting = found[at].value.lower()
    if found[at].key == "AUTHORIZATION":
        setting = "session_authorization"
    if found[at].key == "NAMES":
        setting = "client_encoding"
    if found[at].key == "TRANSACTION" or found[at].key == "CHARACTERISTICS":
        yield "transaction-control"
    elif found[0].key in ("RESET", "DISCARD") and found[at].key == "ALL":
        yield "time-limit"
    elif rule := _of_setting(setting):
        yield rule


def _prepare(found: Sequence[Word], _: World) -> Iterator[str]:
    if found[1:2] and found[1].key == "TRANSACTION":
        yield "transaction-control"


def _load(_: Sequence[Word], __: World) -> Iterator[str]:
    yield "alter-server"


def _other_owner(found: Sequence[Word], _: World) -> Iterator[str]:
    yield "owner"


HANDLERS = {
    "DROP": _drop,
    "ALTER": _alter,
    "TRUNCATE": _truncate,
    "UPDATE": _moves,
    "DELETE": _moves,
    "MERGE": _moves,
    "COPY": _moves,
    "INSERT": _insert,
    "WITH": _with,
    "CREATE": _create,
    "REVOKE": _revoke,
    "LOCK": _lock,
    "REINDEX": _reindex,
    "VACUUM": _vacuum,
    "CLUSTER": _cluster,
    "REFRESH": _refresh,
    "SET": _set,
    "RESET": _set,
    "DISCARD": _set,
    "PREPARE": _prepare,
    "LOAD": _load,
    "REASSIGN": _other_owner,
}

# ---------------------------------------------------------------- what a statement makes

KIND = re.compile(
    r"(TABLE|VIEW|TYPE|SEQUENCE|SCHEMA|DOMAIN|INDEX|POLICY|TRIGGER|RULE|FUNCTION|PROCEDURE|EXTENSION|AGGREGATE|DATABASE|TABLESPACE|SUBSCRIPTION)"
)


def _made(found: Sequence[Word]) -> tuple[str, int]:
    """What kind of thing a CREATE makes, and where its name begins."""
    for at, word in enumerate(found[1:8], 1):
        if KIND.fullmatch(word.key):
            return word.key, at + 1
    return "", len(found)


def _defines(found: Sequence[Word]) -> bool:
    """Whether a statement defines a function, and runs nothing of it."""
    return found[0].key == "CREATE" and _made(found)[0] in ("FUNCTION", "PROCEDURE")


def _remember(found: Sequence[Word], world: World) -> None:
    first = found[0].key
    if first == "CREATE":
        _remember_made(found, world)
    elif first == "DROP":
        # Of that name there may be another: a temporary table lies before one that stays.
        for part in cut(found[2:], ","):
            begin = next((place for place, word in enumerate(part) if word.key not in ("IF", "EXISTS")), len(part))
            shown, end = name(part, begin)
            if shown in world.temporary and end - begin == 1:
                world.temporary.discard(shown)
            else:
                world.made.discard(shown)
    elif first in ("SELECT", "WITH") and _into(found):
        rest = keys(found)
        at = rest.index("INTO") + 1
        while at < len(found) and found[at].key in ("TEMP", "TEMPORARY", "UNLOGGED", "TABLE"):
            at += 1
        world.made.add(name(found, at)[0])


def _remember_made(found: Sequence[Word], world: World) -> None:
    rest = keys(found)
    kind, at = _made(found)
    if kind in ("FUNCTION", "PROCEDURE"):
        shown, _ = name(found, at)
        bodies = [words(word.value) for place, word in enumerate(found) if word.kind == "string" and found[place - 1].key != "LANGUAGE"]
        if "ATOMIC" in rest:
            bodies.append(tuple(found[rest.index("ATOMIC") + 1 :]))
        world.functions.setdefault(shown.rpartition(".")[2], []).extend(bodies)
        return
    # Not with IF NOT EXISTS or OR REPLACE: what is there already is not the file's own.
    if "REPLACE" in rest[:3] or rest[at : at + 3] == ("IF", "NOT", "EXISTS"):
        return
    if rest[at : at + 1] == ("CONCURRENTLY",):
        at += 1
    shown, _ = name(found, at)
    temporary = kind in ("TABLE", "VIEW") and any(key in ("TEMP", "TEMPORARY") for key in rest[1:at])
    if shown and kind != "EXTENSION":
        (world.temporary if temporary else world.made).add(shown)
