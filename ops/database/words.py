"""Cutting SQL into words: what a statement, or the body of a function, says without its comments.

Follows PostgreSQL's lexical rules (documentation, chapter 4.1).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ops.database.sql import block_end

TOKEN = re.compile(
    r"""
    (?P<space>   \s+ | --[^\n]* )
  | (?P<block>   /\* )
  | (?P<dollar>  \$ (?:[^\W\d]\w*)? \$ )
  | (?P<escaped> [eE] ' (?: [^'\\] | \\. | '' )* '? )
  | (?P<string>  (?: [bBxXnN] | [uU]& )? ' (?: [^'] | '' )* '? )
  | (?P<name>    (?: [uU]& )? " (?: [^"] | "" )* "? )
  | (?P<word>    [^\W\d][\w$]* )
  | (?P<number>  \d[\w.]* )
  | (?P<sign>    << | >> | :: | := | . )
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)
PLAIN = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word. `key` is what to compare: a keyword in capitals, a sign, or nothing for quoted names and strings.

    `value` is a name as PostgreSQL folds it, or what a string holds; `line` is counted from the text's own first line, 0.
    """

    kind: str
    key: str
    value: str
    line: int


def words(text: str) -> tuple[Word, ...]:
    """The words of a text."""
    found: list[Word] = []
    position = line = 0
    while token := TOKEN.match(text, position):
        kind, piece = str(token.lastgroup), token.group()
        end = token.end()
        if kind == "block":
            end = block_end(text, end)
        elif kind == "dollar":
            close = text.find(piece, end)
            value, end = (text[end:], len(text)) if close < 0 else (text[end:close], close + len(piece))
            found.append(Word("string", "", value, line + piece.count("\n")))
        elif kind != "space":
            found.append(_word(kind, piece, line))
        line += text.count("\n", position, end)
        position = end
    return tuple(found)


def _word(kind: str, piece: str, line: int) -> Word:
    if kind == "word":
        return Word(kind, piece.upper(), piece.lower(), line)
    if kind == "name":
        return Word(kind, "", piece[piece.index('"') + 1 :].removesuffix('"').replace('""', '"'), line)
    if kind == "escaped":
        return Word("string", "", ESCAPE.sub(_unescaped, piece[2:].removesuffix("'").replace("''", "'")), line)
    if kind == "string":
        return Word(kind, "", piece[piece.index("'") + 1 :].removesuffix("'").replace("''", "'"), line)
    return Word(kind, piece if kind == "sign" else "", piece, line)


def _unescaped(match: re.Match[str]) -> str:
    short, long, byte, octal, char = match.groups()
    if char is not None:
        return PLAIN.get(char, char)
    number = int(short or long or byte or octal, 8 if octal else 16)
    return chr(number) if 0 < number < 0x110000 else ""


def keys(found: Sequence[Word]) -> tuple[str, ...]:
    """The keys alone."""
    return tuple(word.key for word in found)


def cut(found: Sequence[Word], sign: str) -> Iterator[tuple[Word, ...]]:
    """The parts between the signs that stand outside parentheses."""
    depth, part = 0, list[Word]()
    for word in found:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(word.key, 0)
        if word.key == sign and depth <= 0:
            yield tuple(part)
            part = []
        else:
            part.append(word)
    yield tuple(part)


def name(found: Sequence[Word], at: int) -> tuple[str, int]:
    """The name that begins at a place, as `schema.name` without the schema public, and the place behind it."""
    parts: list[str] = []
    while at < len(found) and found[at].kind in ("word", "name"):
        parts.append(found[at].value)
        at += 1
        if at < len(found) and found[at].key == ".":
            at += 1
        else:
            break
    shown = parts[1:] if len(parts) > 1 and parts[0] == "public" else parts
    return ".".join(shown), at
