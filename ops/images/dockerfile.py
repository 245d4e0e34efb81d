"""A Dockerfile, read by the line grammar of BuildKit's own parser, and what it names besides the files of its context.

The grammar is that of moby/buildkit, frontend/dockerfile/parser: directives at the top, `#` lines, continued lines, here-documents.
What is not understood raises: a Dockerfile that is read otherwise than BuildKit reads it could hide an input from the key.
"""

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

NAMES = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL"),
        *("MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    )
)
# What BuildKit knows by itself (docs.docker.com/reference/dockerfile, "Automatic platform ARGs"). TARGET… follows from the key's platform.
TARGET = frozenset({"TARGETPLATFORM", "TARGETOS", "TARGETARCH", "TARGETVARIANT"})
_BUILDER = frozenset({"BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"})
_PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY"})
_HEREDOC = ("ADD", "COPY", "RUN")
_FLAGGED = ("FROM", *_HEREDOC)
_SPACE = " \t\v\f\r\x85\xa0"  # Go's unicode.IsSpace, as far as Latin-1; Python's own idea of space has more
_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
_CHECKSUM = re.compile(r"sha256:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{64}")  # of a file; of a git commit
_REMOTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://|[^/\s]+@[^/\s]+:")


class DockerfileError(ValueError):
    """A line that cannot be read; the number counts from 1."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"line {line}: {what}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its continued lines are joined, comments between them are gone. `line` is its first, from 1."""

    line: int
    name: str  # upper case
    text: str  # what follows the name
    heredocs: tuple[str, ...] = ()  # their lines as they are, the one that ends each included


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """The directives at the top, and the instructions in their order."""

    directives: Mapping[str, tuple[int, str]]  # line and value
    instructions: tuple[Instruction, ...]

    def bare(self) -> str:
        """The same Dockerfile without comments and empty lines, an instruction a line: what is hashed, and what the builder gets."""
        lines = [f"# {name}={value}" for name, (_, value) in self.directives.items()]
        for each in self.instructions:
            lines += [f"{each.name} {each.text}".rstrip(_SPACE), *each.heredocs]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that a build would take from elsewhere, and that no key can hold."""

    line: int
    what: str


def read(text: str) -> Dockerfile:
    """Read a Dockerfile. Raises `DockerfileError` for what BuildKit refuses, or what is not understood."""
    lines = text.removeprefix("\ufeff").split("\n")
    directives = _directives(lines)
    return Dockerfile(directives, tuple(_instructions(lines, directives.get("escape", (0, "\\"))[1])))


def _directives(lines: list[str]) -> dict[str, tuple[int, str]]:
    """The directives (docs.docker.com/reference/dockerfile, "Parser directives"). `syntax` counts wherever BuildKit may look for it."""
    found: dict[str, tuple[int, str]] = {}
    done = False
    for number, line in enumerate((line.rstrip("\r") for line in lines), 1):
        if not line.startswith("#"):
            break
        match = _DIRECTIVE.fullmatch(line)
        name = match[1].lower() if match else ""
        if name == "syntax" and match:
            found.setdefault(name, (number, match[2]))
        elif name in ("escape", "check") and match:
            if done:
                raise DockerfileError(number, f"the directive {name} must come before every comment")
            if name in found or (name == "escape" and match[2] not in ("\\", "`")):
                raise DockerfileError(number, f"the directive {name} is there twice, or is neither \\ nor `")
            found[name] = (number, match[2])
        else:
            done = True
    return found


def _instructions(lines: list[str], escape: str) -> Iterator[Instruction]:
    continued = re.compile(rf"(?:^|(?<=[^{re.escape(escape)}])){re.escape(escape)}[ \t]*$")
    at = 0
    while at < len(lines):
        first, line = at + 1, _uncommented(lines[at].rstrip("\r").lstrip(_SPACE))
        at += 1
        text, more = _cut(continued, line)
        if not text and not more:
            continue
        while more and at < len(lines):
            line = lines[at].rstrip("\r")
            at += 1
            if line.lstrip(_SPACE).startswith("#") or not line.strip(_SPACE):
                continue  # a comment, or an empty line, which BuildKit takes with a warning
            part, more = _cut(continued, line)
            text += part
        if not text.strip(_SPACE):
            continue
        instruction = _instruction(first, text.strip(_SPACE))
        if (inner := _inner(instruction)).name in _FLAGGED:
            _flags(inner)  # raises where one is not understood
        heredocs: list[str] = []
        for name, chomp in _heredocs(instruction):
            end = next((i for i in range(at, len(lines)) if lines[i].rstrip("\r").lstrip("\t" if chomp else "\n") == name), None)
            if end is None:
                raise DockerfileError(first, f"the here-document {name} does not end")
            heredocs.append("\n".join(lines[at : end + 1]))
            at = end + 1
        yield Instruction(first, instruction.name, instruction.text, tuple(heredocs))


def _uncommented(line: str) -> str:
    return "" if line.startswith("#") else line


def _cut(continued: "re.Pattern[str]", line: str) -> tuple[str, bool]:
    """A line without the sign that it goes on, and whether it does."""
    match = continued.search(line)
    return (line[: match.start()], True) if match else (line, False)


def _instruction(line: int, text: str) -> Instruction:
    name, *rest = text.split(None, 1)
    if name.upper() not in NAMES:
        raise DockerfileError(line, f"there is no instruction {name}")
    return Instruction(line, name.upper(), rest[0].strip() if rest else "")


def _inner(instruction: Instruction) -> Instruction:
    """What an instruction does: of `ONBUILD RUN x`, `RUN x`."""
    while instruction.name == "ONBUILD" and instruction.text:
        inner = _instruction(instruction.line, instruction.text)
        instruction = Instruction(inner.line, inner.name, inner.text, instruction.heredocs)
    return instruction


def _heredocs(instruction: Instruction) -> Iterator[tuple[str, bool]]:
    """Name of each here-document that an instruction opens, and whether tabs before its lines are dropped (`<<-`)."""
    inner = _inner(instruction)
    if inner.name not in _HEREDOC or "<<" not in inner.text or _list(_flags(inner)[1]) is not None:
        return
    for word in _words(inner.text, inner.line):
        if match := re.fullmatch(r"\d*<<(-?)([^<]+)", word, re.DOTALL):
            names = _words(match[2], inner.line)
            if len(names) == 1:
                yield _unquoted(names[0]), bool(match[1])


def _words(text: str, line: int) -> list[str]:
    """The words of a line as a shell splits them, quotes and escapes left in."""
    words, quote, word, at = list[str](), "", "", 0
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'" and at + 1 < len(text):
            word, at = word + text[at : at + 2], at + 2
            continue
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char.isspace():
            words, word, at = [*words, word] if word else words, "", at + 1
            continue
        word, at = word + char, at + 1
    if quote and "<<" in text:  # BuildKit takes it as no here-document, or as one: nobody should have to know
        raise DockerfileError(line, "a quotation does not end on a line with <<")
    return [*words, word] if word else words


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)|[\"']", lambda m: m[1] or "", word, flags=re.DOTALL)


_FLAG = re.compile(r"""--([a-z][a-z-]*)(?:=((?:"[^"\\`]*"|'[^'\\`]*'|[^\s"'\\`])*))?(?:\s+|$)""")


def _flags(instruction: Instruction) -> tuple[list[tuple[str, str]], str]:
    """The `--name=value` words in front, and what follows them."""
    flags: list[tuple[str, str]] = []
    rest = instruction.text
    while match := _FLAG.match(rest):
        flags.append((match[1], _unquoted(match[2] or "")))
        rest = rest[match.end() :]
    if rest.startswith("--"):
        raise DockerfileError(instruction.line, f"{rest.split()[0]} is not understood")
    return flags, rest


def _list(text: str) -> list[str] | None:
    """The words of the JSON form, or None."""
    try:
        found = json.loads(text) if text.startswith("[") else None
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def arguments(file: Dockerfile) -> frozenset[str]:
    """The build arguments that it asks for, anywhere."""
    return frozenset(name for each in file.instructions for name, _ in _declared(_inner(each)))


def commands(file: Dockerfile) -> Iterator[str]:
    """The commands that its `RUN` instructions run, cut where a shell would."""
    for each in file.instructions:
        if _inner(each).name == "RUN":
            yield from re.split(r"&&|\|\||[;|\n]", "\n".join((each.text, *each.heredocs)))


def _declared(instruction: Instruction) -> Iterator[tuple[str, str | None]]:
    """Name and default of each argument of an `ARG`."""
    if instruction.name == "ARG":
        for word in _words(instruction.text, instruction.line):
            name, equals, value = word.partition("=")
            yield _unquoted(name), value if equals else None


def outside(file: Dockerfile, bases: Collection[str], given: Mapping[str, str]) -> list[Outside]:
    """What a build takes from elsewhere without a digest: images that are no base of the catalogue, addresses, the builder's own values.

    `bases`: the build arguments that stand for the catalogue's base images. `given`: the other build arguments.
    """
    pinned = dict.fromkeys(bases, f"base@sha256:{'0' * 64}")
    return list(_Reader({**given, **pinned}).all(file))


class _Reader:
    """Goes through a Dockerfile once: which stages there are so far, and what the arguments before the first of them are."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = given
        self.known: dict[str, str] = dict.fromkeys(TARGET, "x")
        self.stages: list[str] = []

    def all(self, file: Dockerfile) -> Iterator[Outside]:
        line, syntax = file.directives.get("syntax", (0, ""))
        if syntax and not _DIGEST.fullmatch(syntax):
            yield Outside(line, f"`# syntax={syntax}` names a frontend without a digest")
        for each in file.instructions:
            yield from self.one(_inner(each))

    def one(self, each: Instruction) -> Iterator[Outside]:
        flags, rest = _flags(each)
        match each.name:
            case "ARG":
                yield from self._argument(each)
            case "FROM":
                yield from self._from(each, flags, rest)
            case "COPY":
                yield from (found for name, value in flags if name == "from" for found in self._image(each, "COPY --from", value))
            case "RUN":
                yield from (found for name, value in flags if name == "mount" for found in self._mount(each, value))
            case "ADD":
                yield from self._add(each, flags, rest)

    def _argument(self, each: Instruction) -> Iterator[Outside]:
        for name, default in _declared(each):
            if name in _BUILDER or name.upper() in _PROXIES:
                yield Outside(each.line, f"ARG {name} has a value of the machine that builds")
            if not self.stages:  # one of these alone can be in FROM
                value = self.given.get(name) or (expand(default, self.known) if default is not None else None)
                if value is not None:
                    self.known[name] = value

    def _from(self, each: Instruction, flags: list[tuple[str, str]], rest: str) -> Iterator[Outside]:
        words = rest.split()
        for name, value in flags:
            if name == "platform" and expand(value, self.known) is None:
                yield Outside(each.line, f"FROM --platform={value} depends on the machine that builds")
        image = expand(words[0], self.known) if words else None
        if image is None:
            yield Outside(each.line, f"FROM {words[0] if words else ''} is no image that can be known beforehand".replace("  ", " "))
        elif image.lower() not in self.stages:
            yield from self._image(each, "FROM", image, words[0])
        self.stages.append(words[2].lower() if len(words) == 3 and words[1].lower() == "as" else "")

    def _image(self, each: Instruction, where: str, name: str, shown: str = "") -> Iterator[Outside]:
        """An image or an earlier stage, by its name or its number."""
        stage = name.lower() in filter(None, self.stages[: -1 if where != "FROM" else None])
        number = where != "FROM" and name.isdecimal() and int(name) < len(self.stages) - 1
        if not (stage or number or name == "scratch" or _DIGEST.fullmatch(name)):
            yield Outside(each.line, f"{where} {shown or name} is an image that is no base of the catalogue, without a digest")

    def _mount(self, each: Instruction, value: str) -> Iterator[Outside]:
        fields = {key.strip().lower(): found for key, _, found in (field.partition("=") for field in next(csv.reader([value]), []))}
        kind = fields.get("type", "bind").lower()
        if kind not in ("bind", "cache", "tmpfs"):  # secret, ssh
            yield Outside(each.line, f"RUN --mount=type={kind}: no build here is given one")
        if "from" in fields:
            yield from self._image(each, "RUN --mount=from", fields["from"])

    def _add(self, each: Instruction, flags: list[tuple[str, str]], rest: str) -> Iterator[Outside]:
        words = _list(rest) or rest.split()
        checked = any(name == "checksum" and _CHECKSUM.fullmatch(value) for name, value in flags)
        for source in words[:-1]:
            if not checked and (_REMOTE.match(source) or "$" in source.partition("/")[0]):
                yield Outside(each.line, f"ADD {source} is, or may be, an address, without --checksum")


_VARIABLE = re.compile(r"\\(.)|[\"']|\$(?:(\w+)|\{(\w+)(?:(:?[-+?])([^{}$]*))?\})|(\$)", re.DOTALL)


def expand(word: str, values: Mapping[str, str]) -> str | None:
    """A word with its variables filled in; None where one has no value, or is written in a way that is not understood."""
    unknown = False

    def fill(match: "re.Match[str]") -> str:
        nonlocal unknown
        name, sign, other = match[2] or match[3], match[4] or "", match[5] or ""
        if match[6]:
            unknown = True
        if not name:
            return match[1] or ""
        value = values.get(name) or ""
        if sign.endswith("-"):
            return value or other
        unknown = unknown or not value
        return other if sign.endswith("+") else value

    filled = _VARIABLE.sub(fill, word)
    return None if unknown or not filled else filled
