"""What the reading knows: what the file itself has made, and the functions of all files so far."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ops.database.words import Word, cut, keys, name, words

KIND = re.compile(
    r"(TABLE|VIEW|TYPE|SEQUENCE|SCHEMA|DOMAIN|INDEX|POLICY|TRIGGER|RULE|FUNCTION|PROCEDURE|EXTENSION|AGGREGATE|DATABASE|TABLESPACE|SUBSCRIPTION)"
)


@dataclass(slots=True)
class World:
    """What the reading knows: what the file itself has made, and the functions of all files so far. `inside`: the functions whose bodies
    are being read, which are not read again where they call themselves."""

    made: set[str] = field(default_factory=set)
    temporary: set[str] = field(default_factory=set)
    functions: dict[str, list[tuple[Word, ...]]] = field(default_factory=dict)
    inside: frozenset[str] = frozenset()

    def next_file(self) -> "World":
        """The world at the begin of the next file."""
        return World(functions=self.functions)

    def own(self, found: str, *, qualified: bool = False) -> bool:
        """Whether a name is one of the file's own; a temporary table lies before another of its name, unless a schema is named."""
        return found in self.made or (found in self.temporary and not qualified)


def all_own(found: Sequence[Word], at: int, world: World) -> bool:
    """Whether all names of a list are the file's own."""
    skipped = ("IF", "EXISTS", "ONLY", "CONCURRENTLY", "TABLE")
    named: list[bool] = []
    for part in cut(found[at:], ","):
        begin = next((place for place, word in enumerate(part) if word.key not in skipped), len(part))
        shown, end = name(part, begin)
        if shown:
            named.append(world.own(shown, qualified=end - begin > 1))
    return bool(named) and all(named)


def made_by(found: Sequence[Word]) -> tuple[str, int]:
    """What kind of thing a CREATE makes, and where its name begins."""
    for at, word in enumerate(found[1:8], 1):
        if KIND.fullmatch(word.key):
            return word.key, at + 1
    return "", len(found)


def defines(found: Sequence[Word]) -> bool:
    """Whether a statement defines a function, and runs nothing of it."""
    return found[0].key == "CREATE" and made_by(found)[0] in ("FUNCTION", "PROCEDURE")


def into(found: Sequence[Word]) -> bool:
    """SELECT … INTO makes a table of rows."""
    depth = 0
    for word in found:
        depth += {"(": 1, ")": -1}.get(word.key, 0)
        if word.key == "INTO" and depth == 0:
            return True
    return False


def remember(found: Sequence[Word], world: World) -> None:
    """Add to the world what a statement makes, and take from it what it drops."""
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
    elif first in ("SELECT", "WITH") and into(found):
        rest = keys(found)
        at = rest.index("INTO") + 1
        while at < len(found) and found[at].key in ("TEMP", "TEMPORARY", "UNLOGGED", "TABLE"):
            at += 1
        world.made.add(name(found, at)[0])


def _remember_made(found: Sequence[Word], world: World) -> None:
    rest = keys(found)
    kind, at = made_by(found)
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
