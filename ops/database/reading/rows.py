"""What statements say of rows: which change rows, or copy them from a table that the file has not made."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from ops.database.reading.world import World
from ops.database.words import Word, keys, name

CHANGES = {"UPDATE", "DELETE", "INSERT", "MERGE"}


def moves(found: Sequence[Word], world: World) -> Iterator[str]:
    """UPDATE, DELETE, MERGE and COPY change rows, or copy them, of a table that is not the file's own."""
    at = 1
    while at < len(found) and found[at].key in ("FROM", "INTO", "ONLY"):
        at += 1
    shown, end = name(found, at)
    if found[0].key == "UPDATE" and "SET" not in keys(found):
        return
    query = found[0].key == "COPY" and found[1:2] and found[1].key == "("
    if query or not world.own(shown, qualified=end - at > 1):
        yield "moves-rows"


def insert(found: Sequence[Word], world: World) -> Iterator[str]:
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


def with_(found: Sequence[Word], _: World) -> Iterator[str]:
    """WITH may have a statement that changes rows anywhere."""
    if any(word.key in CHANGES for word in found):
        yield "moves-rows"


def query_behind_as(found: Sequence[Word]) -> bool:
    """CREATE TABLE … AS makes a table of the rows of a query."""
    depth = 0
    for word, after in pairwise(found):
        depth += {"(": 1, ")": -1}.get(word.key, 0)
        if word.key == "AS" and depth == 0 and after.key in ("SELECT", "WITH", "TABLE", "VALUES", "EXECUTE", "("):
            return True
    return False
