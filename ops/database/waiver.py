"""Waivers: a comment that allows one effect of one statement, for a reason that is written out.

    -- nextai:contract drop-column: no version since 1.4 reads it
    ALTER TABLE users DROP COLUMN nick;

It stands in a line of its own, right before the statement; a statement with several effects has several. What looks like a waiver and is
none is an error: nobody shall believe that something is allowed when it is not, or the other way round.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ops.database.journal import BREAKPOINT
from ops.database.rules import RULES
from ops.database.sql import block_end
from ops.database.words import TOKEN

LOOKS = re.compile(r"^[\s/*-]*(?:nextai\b|contract\s*:|next-?ai\s*:)", re.IGNORECASE)
OTHERS = re.compile(r"^--\s*nextai:no-transaction\s*$")
FORM = re.compile(r"^-- nextai:contract (?P<rule>[a-z-]+): (?P<reason>\S.*?)\s*$")


@dataclass(frozen=True, slots=True)
class Waiver:
    """A waiver in a file: of which rule, for which statement (its line), and why."""

    rule: str
    statement: int
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """A comment that looks like a waiver: in which line, and what is wrong with it."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a file. `alone`: it has a line of its own, between statements. `statement`: the line in which the next one begins."""

    text: str
    line: int
    alone: bool
    statement: int


def waivers(text: str) -> tuple[tuple[Waiver, ...], tuple[Wrong, ...]]:
    """The waivers of a file, and what looks like one."""
    found: list[Waiver] = []
    wrong: list[Wrong] = []
    for comment in _comments(text):
        if not LOOKS.match(comment.text) or OTHERS.match(comment.text.rstrip()):
            continue
        one = _waiver(comment)
        if isinstance(one, Waiver):
            found.append(one)
        else:
            wrong.append(one)
    return tuple(found), tuple(wrong)


def _waiver(comment: Comment) -> Waiver | Wrong:
    match = FORM.match(comment.text)
    if match is None:
        return Wrong(comment.line, "it has not the form of one")
    if why := _refusal(match["rule"], match["reason"], comment):
        return Wrong(comment.line, why)
    return Waiver(match["rule"], comment.statement, comment.line, match["reason"])


def _refusal(name: str, reason: str, comment: Comment) -> str:
    """What is wrong with a comment that has the form of a waiver."""
    rule = RULES.get(name)
    if rule is None or rule.level != "refused" or not rule.waivable:
        near = ", ".join(sorted(one for one, known in RULES.items() if known.level == "refused" and known.waivable))
        return f"{name} is no rule that can be waived; there are {near}"
    if not _says_why(reason):
        return "its reason is not one of words"
    if not comment.alone:
        return "it does not stand in a line of its own before a statement"
    return "" if comment.statement else "no statement follows it"


def _says_why(reason: str) -> bool:
    """Two words, or as much in a script that writes without spaces."""
    said = re.findall(r"[^\W\d_]{2,}", reason)
    return len(said) >= 2 or any(len(word) >= 4 and not word.isascii() for word in said)


def _comments(text: str) -> Iterator[Comment]:
    """The comments of a file: not what stands in strings or names."""
    waiting: list[tuple[str, int, bool]] = []
    position, line, inside = 0, 1, False
    while token := TOKEN.match(text, position):
        kind, piece, end = str(token.lastgroup), token.group(), token.end()
        if kind == "block" or (kind == "space" and piece.startswith("--")):
            end = block_end(text, end) if kind == "block" else end
            piece = text[position:end]
            if piece.startswith(BREAKPOINT):
                inside = False
            else:
                own_line = not text[text.rfind("\n", 0, position) + 1 : position].strip()
                waiting.append((piece, line, own_line and not inside))
        elif kind != "space":
            if kind == "dollar":
                close = text.find(piece, end)
                end = len(text) if close < 0 else close + len(piece)
            if not inside and piece != ";":
                yield from (Comment(*one, line) for one in waiting)
                waiting = []
            inside = piece != ";"
        line += text.count("\n", position, end)
        position = end
    yield from (Comment(*one, 0) for one in waiting)
