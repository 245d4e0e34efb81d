"""Cutting SQL text into statements, and a statement into what a rule can look at.

Follows PostgreSQL's lexical rules (documentation, chapter 4.1): nested comments, E'' strings, dollar quotes,
SQL-standard function bodies.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

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


HIDDEN = {"Cf", "Cc", "Zs", "Zl", "Zp"}  # Unicode's categories: format, control, spaces
# Of other categories, and blank all the same: fillers, variation selectors, the joiner of graphemes, Braille's blank.
BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
LITERAL = {"dollar", "string", "escaped", "name"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement.

    `line` is where it begins, counted from 1; comments before it are not part of it. `shape` is the statement on one
    line without comments and without the content of strings, for rules to match. `bodies` are the contents of its
    dollar quotes; `literals` are its strings and quoted names as they are written.
    """

    text: str
    line: int
    shape: str
    bodies: tuple[str, ...] = ()
    literals: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What the statement says, however it is laid out: white space and comments outside strings do not count."""
        return "\0".join((re.sub(r"(?<!\w) | (?!\w)", "", self.shape), *self.literals))


def statements(text: str, line: int = 1) -> tuple[Statement, ...]:
    """The statements of a text whose first line has this number. What is only comment or space is left out."""
    found: list[Statement] = []
    lines = _Lines(text, line)
    draft = _Draft()
    position = depth = 0
    while token := _next(text, position):
        kind, start, end = token
        draft.add(position, text[position:start])
        position, word = end, text[start:end]
        if kind == "end" and not depth:
            found += draft.statement(text, start, lines)
            draft = _Draft()
            continue
        if kind == "dollar":
            draft.bodies.append(_body(word))
        elif kind == "word":
            depth += _depth(word, depth)
        if kind in LITERAL:
            draft.literals.append(word)
        draft.add(start, STANDS_FOR.get(kind, word))
    draft.add(position, text[position:])
    return (*found, *draft.statement(text, len(text), lines))


@dataclass(slots=True)
class _Lines:
    """The lines of a text, counted onwards: nothing is counted twice."""

    text: str
    line: int
    counted: int = 0  # the line ends up to here are in `line`

    def at(self, position: int) -> int:
        """The number of the line of a position, which is not before the last one that was asked for."""
        self.line, self.counted = self.line + self.text.count("\n", self.counted, position), position
        return self.line


@dataclass(slots=True)
class _Draft:
    """A statement while its tokens are read. `shape`: its pieces, each with where it came from."""

    shape: list[tuple[int, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    literals: list[str] = field(default_factory=list)

    def add(self, position: int, piece: str) -> None:
        """A further piece of the shape."""
        self.shape.append((position, piece))

    def statement(self, text: str, end: int, lines: _Lines) -> list[Statement]:
        """The statement that ends here; none where there is only comment or space."""
        begin = next((at + len(piece) - len(piece.lstrip()) for at, piece in self.shape if piece.strip()), None)
        if begin is None:
            return []
        flat = " ".join("".join(piece for _, piece in self.shape).split())
        return [Statement(text[begin:end].rstrip(), lines.at(begin), flat, tuple(self.bodies), tuple(self.literals))]


def cut(text: str, mark: str) -> list[tuple[int, str]]:
    """A text cut at a mark that stands in comments to the end of the line; each piece with its line, counted from 1.

    In a string, a quoted name, a dollar quote or a block comment the mark is text like any other.
    """
    found: list[tuple[int, str]] = []
    begin = position = 0
    line = 1
    while token := _next(text, position):
        kind, start, position = token
        at = text.find(mark, start, position) if kind == "comment" else -1
        if at >= 0:
            found.append((line, text[begin:at]))
            line += text.count("\n", begin, at)
            begin = position = at + len(mark)
    return [*found, (line, text[begin:])]


def unclosed_comment(text: str) -> int:
    """The line, counted from 1, of a block comment that nothing closes, or 0: PostgreSQL refuses the text, and no statement shows it."""
    position = 0
    while token := _next(text, position):
        kind, start, position = token
        if kind == "block" and _close(text, start + 2) is None:
            return text.count("\n", 0, start) + 1
    return 0


def nesting(text: str) -> int:
    """How many parentheses are nested in one another at most, outside of strings, quoted names and comments."""
    deepest = depth = position = 0
    while token := _next(text, position):
        deepest, depth = _deeper(text[position : token[1]], deepest, depth)
        position = token[2]
    return _deeper(text[position:], deepest, depth)[0]


def _deeper(text: str, deepest: int, depth: int) -> tuple[int, int]:
    for sign in re.findall(r"[()]", text):
        depth = max(depth + (1 if sign == "(" else -1), 0)
        deepest = max(deepest, depth)
    return deepest, depth


def unseen(text: str) -> tuple[int, str] | None:
    """The first character outside of strings and comments that nobody sees, after its line, counted from 1; None where there is none.

    PostgreSQL takes it as a letter of a name (chapter 4.1.1: any byte above 127), so that two names can look the same.
    """
    if text.isascii():
        return None
    position = 0
    while token := _next(text, position):
        kind, start, end = token
        inner = text[start:end] if kind in ("name", "dollar") else ""
        if found := _unseen(text[position:start]):
            return text.count("\n", 0, position) + found[0], found[1]
        if found := unseen(_body(inner)) if kind == "dollar" else _unseen(inner):
            return text.count("\n", 0, start) + found[0], found[1]
        position = end
    found = _unseen(text[position:])
    return (text.count("\n", 0, position) + found[0], found[1]) if found else None


def _unseen(text: str) -> tuple[int, str] | None:
    for line, words in enumerate(text.split("\n"), 1):
        for letter in words:
            if not letter.isascii() and (unicodedata.category(letter) in HIDDEN or BLANK.match(letter)):
                return line, letter
    return None


def comments(text: str) -> Iterator[str]:
    """The comments to the end of the line that begin one: none of what stands in strings, in quotes or in block comments."""
    position = 0
    while token := _next(text, position):
        kind, start, position = token
        if kind == "comment" and text[start - 1 : start] in ("", "\n"):
            yield text[start:position]


def _next(text: str, position: int) -> tuple[str, int, int] | None:
    """The next token from a position on: its kind, where it begins and where it ends."""
    token = TOKEN.search(text, position)
    if token is None:
        return None
    kind, end = str(token.lastgroup), token.end()
    if kind == "block":
        end = block_end(text, end)
    elif kind == "dollar":
        close = text.find(token.group(), end)
        end = len(text) if close < 0 else close + len(token.group())
    return kind, token.start(), end


def _body(quoted: str) -> str:
    """What stands between the two marks of a dollar quote; the second is missing where the text ends before it."""
    mark = quoted[: quoted.index("$", 1) + 1]
    return quoted[len(mark) : -len(mark)] if len(quoted) >= 2 * len(mark) and quoted.endswith(mark) else quoted[len(mark) :]


def block_end(text: str, position: int) -> int:
    """Where a block comment ends that began before `position`: at the text's end where nothing closes it."""
    end = _close(text, position)
    return len(text) if end is None else end


def _close(text: str, position: int) -> int | None:
    """Behind the mark that closes a block comment which began before `position`; PostgreSQL's nest."""
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(text, position):
        depth += 1 if mark.group() == "/*" else -1
        if not depth:
            return mark.end()
    return None


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
