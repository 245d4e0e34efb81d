"""Cutting SQL text into statements, and a statement into what a rule can look at.

Follows PostgreSQL's lexical rules (documentation, chapter 4.1): nested comments, E'' strings, dollar quotes,
SQL-standard function bodies.
"""

import re
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* )
  | (?P<block>   /\* )
  | (?P<dollar>  (?<![\w$]) \$ (?:[^\W\d]\w*)? \$ )
  | (?P<escaped> \b[eE] ' (?: [^'\\] | \\. | '' )* ' )
  | (?P<string>  ' (?: [^'] | '' )* ' )
  | (?P<name>    " (?: [^"] | "" )* " )
  | (?P<word>    \b (?: BEGIN\s+ATOMIC | CASE | END ) \b )
  | (?P<end>     ; )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
# What a token looks like in a statement's shape; the others as they are.
STANDS_FOR = {"comment": " ", "block": " ", "dollar": "''", "string": "''", "escaped": "''"}
NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
QUALIFIED = rf"{NAME}(?:\s*\.\s*{NAME})?"


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement.

    `line` is where it begins, counted from 1; comments before it are not part of it. `shape` is the statement on one
    line without comments and without the content of strings, for rules to match. `bodies` are the contents of its
    dollar quotes.
    """

    text: str
    line: int
    shape: str
    bodies: tuple[str, ...] = ()


def statements(text: str, line: int = 1) -> tuple[Statement, ...]:
    """The statements of a text whose first line has this number. What is only comment or space is left out."""
    found: list[Statement] = []
    shape: list[tuple[int, str]] = []  # pieces, each with where it came from
    bodies: list[str] = []
    position = depth = 0

    def finish(end: int) -> None:
        begin = next((at + len(piece) - len(piece.lstrip()) for at, piece in shape if piece.strip()), None)
        if begin is not None:
            flat = " ".join("".join(piece for _, piece in shape).split())
            found.append(Statement(text[begin:end].rstrip(), line + text.count("\n", 0, begin), flat, tuple(bodies)))
        shape.clear()
        bodies.clear()

    while token := TOKEN.search(text, position):
        shape.append((position, text[position : token.start()]))
        kind, position = str(token.lastgroup), token.end()
        if kind == "end" and not depth:
            finish(token.start())
            continue
        if kind == "block":
            position = _block_end(text, position)
        elif kind == "dollar":
            close = text.find(token.group(), position)
            close = len(text) if close < 0 else close
            bodies.append(text[position:close])
            position = min(close + len(token.group()), len(text))
        elif kind == "word":
            depth += _depth(token.group(), depth)
        shape.append((token.start(), STANDS_FOR.get(kind, token.group())))
    shape.append((position, text[position:]))
    finish(len(text))
    return tuple(found)


def _block_end(text: str, position: int) -> int:
    """Where a block comment ends that began before `position`; PostgreSQL's nest."""
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(text, position):
        depth += 1 if mark.group() == "/*" else -1
        if not depth:
            return mark.end()
    return len(text)


def _depth(word: str, depth: int) -> int:
    """How a word changes the depth inside a function body written as BEGIN ATOMIC … END, whose semicolons end no statement."""
    if word.upper().startswith("BEGIN"):
        return 1
    if not depth:
        return 0
    return 1 if word.upper() == "CASE" else -1


def plain(name: str) -> str:
    """A table's name as PostgreSQL reads it, without the schema public: for comparing."""
    parts = re.findall(NAME, name)
    folded = [part[1:-1].replace('""', '"') if part.startswith('"') else part.lower() for part in parts]
    return ".".join(folded[1:] if folded[:1] == ["public"] and len(folded) > 1 else folded)
