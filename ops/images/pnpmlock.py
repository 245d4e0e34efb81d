"""The part of a pnpm lock file (format 9) that some projects need.

A YAML library reads it. What is kept are lines of the file itself, to the letter, so nothing is lost by writing it anew. A file that is
not understood stays whole: a needless build, never a wrong one; `pnpm install --frozen-lockfile` judges the outcome.
"""

import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath
from typing import cast

import yaml

DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
Lines = tuple[str, ...]
Value = str | list["Value"] | dict[str, "Value"]


class UnlistedError(Exception):
    """A project depends on one that the catalogue does not list."""


@dataclass(frozen=True, slots=True)
class Part:
    """A lock file's part, the catalogue entries (by catalogue) that it refers to, and the patches that it has; None: all of them."""

    lock: str
    catalogs: Mapping[str, set[str]]
    patched: set[str] | None


@dataclass(frozen=True, slots=True)
class _Entry:
    """A key of the file with what stands below it. `lines`: from the key's own to that before the next key; `first`: which one that is."""

    name: str
    node: yaml.Node
    lines: Lines
    first: int

    @property
    def value(self) -> Value:
        """What stands below the key, all of it as text."""
        return _value(self.node)

    @property
    def entries(self) -> "list[_Entry]":
        """The keys below it."""
        return [*_entries(self.node, self.lines, self.first)]


@dataclass(frozen=True, slots=True)
class _Importer:
    """A project of the workspace: what it depends on, by kind (`dependencies` …) and name; and its lines."""

    name: str
    dependencies: Mapping[str, Mapping[str, Mapping[str, str]]]
    lines: Lines

    def each(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Every dependency: its name, its `specifier` and the `version` that it resolves to."""
        for kind, named in self.dependencies.items():
            if kind in DEPENDENCIES:
                yield from named.items()


def prune(lock: str, projects: tuple[str, ...], *, dev: bool = True) -> Part:
    """The part of a lock file that `projects` need, with their development dependencies or without.

    The root project stays, without dependencies: its tools are for people, and no image is built with them.
    Raises `UnlistedError` when a project links to one that is not in `projects`.
    """
    whole = Part(lock, {}, None)
    sections = _sections(lock)
    if "importers" not in sections or [e.value for name, e in sections.items() if name == "lockfileVersion"] != ["9.0"]:
        return whole
    importers = {entry.name: _importer(entry, dev=dev) for entry in sections["importers"].entries if entry.name in projects}
    if len(importers) < len(projects):
        return whole
    reached = _reached(sections, [importers[name] for name in projects])
    if reached is None:
        return whole
    packages = {reference.partition("(")[0] for reference in reached}
    catalogs = _catalogs(importers.values())
    patches = _patches(sections, reached)
    blocks = {
        "importers": [Lines(("  .: {}", "")), *(importers[name].lines for name in sorted(projects))],
        "packages": [entry.lines for entry in _below(sections, "packages") if entry.name in packages],
        "snapshots": [entry.lines for entry in _below(sections, "snapshots") if entry.name in reached],
        "catalogs": [*_kept_catalogs(_below(sections, "catalogs"), catalogs)],
    }
    lines: list[str] = []
    for name, section in sections.items():
        head, *body = section.lines
        if name == "patchedDependencies":
            lines += [head, *(line for patch in patches for line in patch.lines if line), ""] if patches else []
        elif name in blocks:
            lines += [head, "", *(line for block in blocks[name] for line in block)]
        else:
            lines += [head, *body]
    return Part("\n".join(lines).rstrip("\n") + "\n", catalogs, {patch.name for patch in patches})


def _reached(sections: Mapping[str, _Entry], importers: Sequence[_Importer]) -> set[str] | None:
    """Every snapshot that the projects depend on, directly or not; None where one of them is not in the file."""
    snapshots = {entry.name: entry for entry in _below(sections, "snapshots")}
    projects = {importer.name for importer in importers}
    queue = [reference for importer in importers for reference in _direct(importer, projects)]
    reached: set[str] = set()
    while queue:
        reference = queue.pop()
        if reference in reached:
            continue
        if reference not in snapshots:
            return None
        reached.add(reference)
        queue += _references(snapshots[reference])
    return reached


def _direct(importer: _Importer, projects: set[str]) -> Iterator[str]:
    """The references that a project's dependencies resolve to."""
    for name, dependency in importer.each():
        version = dependency["version"]
        if version.startswith("link:"):
            target = normpath(str(PurePosixPath(importer.name) / version.removeprefix("link:")))
            if target not in projects:
                raise UnlistedError(f"{importer.name} depends on {target}")
        else:
            yield _reference(name, version)


def _references(snapshot: _Entry) -> Iterator[str]:
    """The references that a snapshot's dependencies resolve to."""
    for kind in ("dependencies", "optionalDependencies"):
        named = _table(snapshot.value).get(kind, {})
        yield from (_reference(name, str(version)) for name, version in _table(named).items())


def _reference(name: str, version: str) -> str:
    """`name` and `1.0.0(peer@2)` joined; an alias (`other@1.0.0`) names its package itself."""
    plain = version.partition("(")[0]
    at, colon = plain.find("@"), plain.find(":")
    return version if at >= 0 and (colon < 0 or at < colon) else f"{name}@{version}"


def _importer(entry: _Entry, *, dev: bool) -> _Importer:
    kept = [kind for kind in entry.entries if dev or kind.name != "devDependencies"]
    dependencies = {kind.name: cast("dict[str, dict[str, str]]", _table(kind.value)) for kind in kept}
    body = [line for kind in kept for line in kind.lines if line]
    head = entry.lines[0] if body else f"  {entry.name}: {{}}"  # as pnpm writes one without dependencies
    return _Importer(entry.name, dependencies, (head, *body, ""))


def _catalogs(importers: Iterable[_Importer]) -> dict[str, set[str]]:
    """The entries that dependencies take from catalogues, by catalogue: `catalog:` or `catalog:NAME` is their specifier."""
    used: dict[str, set[str]] = {}
    for importer in importers:
        for name, dependency in importer.each():
            if (specifier := dependency["specifier"]).startswith("catalog:"):
                used.setdefault(specifier.removeprefix("catalog:") or "default", set()).add(name)
    return used


def _patches(sections: Mapping[str, _Entry], reached: set[str]) -> list[_Entry]:
    """The entries of the patches that reached snapshots have: a snapshot's name says the patch's hash."""
    hashes = set(re.findall(r"\(patch_hash=(\w+)\)", " ".join(reached)))
    return [entry for entry in _below(sections, "patchedDependencies") if hashes & {*_texts(entry.value)}]


def _kept_catalogs(catalogs: Sequence[_Entry], used: Mapping[str, set[str]]) -> Iterator[Lines]:
    """The catalogues, each with the entries that are used; one of which nothing is used goes."""
    for catalog in catalogs:
        kept = [line for entry in catalog.entries if entry.name in used.get(catalog.name, set()) for line in entry.lines if line]
        if kept:
            yield (catalog.lines[0], *kept, "")


def _below(sections: Mapping[str, _Entry], name: str) -> list[_Entry]:
    return sections[name].entries if name in sections else []


@functools.lru_cache(maxsize=2)
def _sections(text: str) -> Mapping[str, _Entry]:
    """The top-level keys of the file's last document (an earlier one, if any, pins pnpm itself); none where it is no YAML.

    Read once for all the images that are cut out of it.
    """
    try:
        *_, last = yaml.compose_all(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
    except (yaml.YAMLError, ValueError):
        return {}
    return {entry.name: entry for entry in _entries(last, tuple(text.split("\n")), 0)}


def _entries(node: yaml.Node, lines: Lines, first: int) -> Iterator[_Entry]:
    """The keys of a mapping that lies in these lines; none where the node is no mapping."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    starts = [key.start_mark.line - first for key, _ in pairs]
    for (key, value), start, end in zip(pairs, starts, [*starts[1:], len(lines)], strict=True):
        yield _Entry(key.value, value, lines[start:end], first + start)


def _value(node: yaml.Node) -> Value:
    if isinstance(node, yaml.MappingNode):
        return {key.value: _value(value) for key, value in node.value}
    return [_value(value) for value in node.value] if isinstance(node, yaml.SequenceNode) else str(node.value)


def _table(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}


def _texts(value: Value) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    else:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
