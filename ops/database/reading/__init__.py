"""What the text of a migration says that it does: the means beside the scratch database.

It sees what running cannot: code behind a condition that was not met, loops over rows that a scratch database does not have, text that
is put together, functions that are called. Inside a body (DO, a called function, a constant EXECUTE) every statement counts, reached or
not. Outside, a statement's text is only one witness of two (`weigh` weighs them).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ops.database.reading.rows import CHANGES
from ops.database.reading.settings import of_setting
from ops.database.reading.statement import CONTROL, rules
from ops.database.reading.world import World, defines, remember
from ops.database.words import Word, keys, words

__all__ = ["CONTROL", "StatementFinding", "World", "read"]

RUNS_TEXT = {"dblink", "dblink_exec", "dblink_send_query", "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema", "ts_stat"}
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


def read(text: str, line: int, world: World) -> tuple[StatementFinding, ...]:
    """What one statement of a file says; what it makes is added to the world."""
    found = words(text)
    if not found:
        return ()
    seen = tuple(
        dict.fromkeys(StatementFinding(said.rule, line + said.line, said.inner) for said in _statement(found, world, inner=False, depth=0))
    )
    remember(found, world)
    return seen


def _statement(found: Sequence[Word], world: World, *, inner: bool, depth: int) -> Iterator[StatementFinding]:
    """Everything that one statement says, with what it runs."""
    line = found[0].line
    for rule in dict.fromkeys(rules(found, world, inner=inner)):
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
    if not (first in ("DROP", "ALTER", "COMMENT", "GRANT", "REVOKE") or (first == "CREATE" and defines(found))):
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
            for body in () if word.value in world.inside else world.functions.get(word.value, ()):
                known = replace(world, inside=world.inside | {word.value})
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
    elif rule := of_setting(argument.value.lower()):
        yield StatementFinding(rule, argument.line, inner=True)
