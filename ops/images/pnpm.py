"""An image's part of the pnpm workspace: only what its own projects depend on, so that another service's dependency changes nothing here.

The lock file (format 9) is cut by lines, in the layout that pnpm writes it in, so what is kept is kept to the letter. A layout that
is not understood leaves the file whole: a needless build, never a wrong one; `pnpm install --frozen-lockfile` judges the outcome.
"""

import copy
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from posixpath import normpath

from ops.catalog.model import Image
from ops.images.dockerfile import Dockerfile, commands

LOCK, WORKSPACE, MANIFEST = "pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"
NAMES = (LOCK, WORKSPACE, MANIFEST)
HOOKS = (".pnpmfile.cjs", ".pnpmfile.mjs")
Block = tuple[str, ...]
Read = Callable[[str], str | None]
_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_INSTALL = re.compile(r"\bpnpm\b.*\s(install|i|ci|fetch|add|deploy)\b", re.DOTALL)
# Scripts for people.
_PEOPLE = re.compile(r"(pre|post)?(test|lint|format|typecheck|check|dev|start|generate|coverage)(:.*)?")


def production(recipe: Dockerfile) -> bool:
    """Whether a Dockerfile installs no development dependencies: each of its `pnpm install` and `pnpm fetch` says so."""
    installs = [part for part in commands(recipe) if _INSTALL.search(part)]
    return bool(installs) and all(re.search(r"\s(--prod|--production|-P)(\s|$)", part) for part in installs)


def patches(read: Read) -> dict[str, str]:
    """The workspace's patch files, by the dependency that each is for."""
    patched = _document(read(WORKSPACE) or "{}").get("patchedDependencies")
    return {str(name): normpath(str(path)) for name, path in patched.items()} if isinstance(patched, dict) else {}


def hooks(read: Read) -> tuple[str, ...]:
    """The files of hooks that pnpm may read (`pnpmfile`); by default one of two, if it is there."""
    named = _document(read(WORKSPACE) or "{}").get("pnpmfile")
    if named:
        return tuple(normpath(str(path)) for path in (named if isinstance(named, list) else [named]))
    return tuple(path for path in HOOKS if read(path) is not None)


def parts(image: Image, read: Read, recipe: Dockerfile | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The texts that take the place of the workspace's own files, by path; and the further files that pnpm reads with them.

    `read` knows the files of the image. Raises `UnlistedError`, and ValueError for files that cannot be read.
    """
    texts = {name: text for name in NAMES if (text := read(name)) is not None}
    if len(texts) < len(NAMES):
        return {}, ()
    dev = recipe is None or not production(recipe)
    runs = list(commands(recipe)) if recipe else []
    manifests = {folder: text for folder in (image.path, *image.packages) if (text := read(f"{folder}/{MANIFEST}")) is not None}
    part = prune(texts[LOCK], tuple(manifests), dev=dev)
    cut = {
        LOCK: part.lock,
        WORKSPACE: _workspace(texts[WORKSPACE], tuple(manifests), part),
        MANIFEST: _manifest(texts[MANIFEST], (*_DEPENDENCIES, "scripts")),
        **{f"{folder}/{MANIFEST}": _project(text, runs, dev=dev) for folder, text in manifests.items()},
    }
    patched = [path for name, path in patches(read).items() if part.patched is None or name in part.patched]
    return cut, (*patched, *hooks(read))


class UnlistedError(Exception):
    """A project depends on one that the catalogue does not list."""


@dataclass(frozen=True, slots=True)
class Part:
    """A lock file's part, the catalogue entries (by catalogue) that it refers to, and the patches that it has; None: all of them."""

    lock: str
    catalogs: Mapping[str, set[str]]
    patched: set[str] | None


def prune(lock: str, projects: tuple[str, ...], *, dev: bool = True) -> Part:
    """The part of a lock file that `projects` need, with their development dependencies or without.

    The root project stays, without dependencies: its tools are for people, and no image is built with them.
    Raises `UnlistedError` when a project links to one that is not in `projects`.
    """
    whole = Part(lock, {}, None)
    sections = _sections_of(lock)
    importers = {_key(head): body if dev else _without_dev(body) for head, body in _entries(lock, "importers:")}
    wanted = [importers[name] for name in projects if name in importers]
    if not {"lockfileVersion: '9.0'", "importers:"} <= sections.keys() or len(wanted) < len(projects):
        return whole
    snapshots = {_key(head): body for head, body in _entries(lock, "snapshots:")}
    queue = [ref for name, body in zip(projects, wanted, strict=True) for ref in _direct(name, body, projects)]
    reached: set[str] = set()
    while queue:
        ref = queue.pop()
        if ref in reached:
            continue
        if ref not in snapshots:
            return whole
        reached.add(ref)
        queue += _references(snapshots[ref])
    packages = {ref.partition("(")[0] for ref in reached}
    catalogs = _catalogs(wanted)
    hashes = set(re.findall(r"\(patch_hash=(\w+)\)", " ".join(reached)))
    patches = [(head, body) for head, body in _entries(lock, "patchedDependencies:") if hashes & set(_words((head, *body)))]
    keep = {
        "importers:": [("  .: {}", ("",)), *(_importer(name, importers[name]) for name in sorted(projects))],
        "packages:": [(f"  {head}", body) for head, body in _entries(lock, "packages:") if _key(head) in packages],
        "snapshots:": [(f"  {head}", body) for head, body in _entries(lock, "snapshots:") if _key(head) in reached],
        "catalogs:": list(_kept_catalogs(sections.get("catalogs:", ()), catalogs)),
        "patchedDependencies:": [(f"  {head}", tuple(line for line in body if line)) for head, body in patches],
    }
    lines: list[str] = []
    for head, body in sections.items():
        if head == "patchedDependencies:":
            lines += [head, *(line for block, rest in keep[head] for line in (block, *rest)), ""] if patches else []
        else:
            lines += [head, *([""] + [line for block, rest in keep[head] for line in (block, *rest)] if head in keep else body)]
    return Part("\n".join(lines).rstrip("\n") + "\n", catalogs, {_key(re.sub(r":( .*)?$", "", head)) for head, _ in patches})


def _importer(name: str, body: Block) -> tuple[str, Block]:
    """A project of the lock file; without dependencies it is an empty mapping, as pnpm writes it."""
    return f"  {name}:" if any(body) else f"  {name}: {{}}", body


def _without_dev(body: Block) -> Block:
    """An importer without its development dependencies."""
    kept = [line for kind, lines in _blocks(list(body), "    ") if kind.strip() != "devDependencies:" for line in (kind, *lines) if line]
    return (*kept, "")


def _words(lines: Block) -> list[str]:
    return re.findall(r"\w+", " ".join(lines))


@functools.lru_cache(maxsize=8)
def _entries(text: str, section: str) -> tuple[tuple[str, Block], ...]:
    """What stands in a section of a lock file: read once for all the images that are cut out of it."""
    return tuple(_children(_sections_of(text).get(section, ())))


@functools.lru_cache(maxsize=2)
def _sections_of(text: str) -> Mapping[str, Block]:
    return dict(_sections(text))


def _sections(text: str) -> Iterator[tuple[str, Block]]:
    """The last document's top-level keys, each with the lines below it (an earlier one, if any, pins pnpm itself)."""
    return _blocks(text.rpartition("\n---\n")[2].removeprefix("---\n").splitlines(), "")


def _children(block: Block) -> Iterator[tuple[str, Block]]:
    return ((head.strip(), body) for head, body in _blocks(list(block), "  "))


def _blocks(lines: list[str], indent: str) -> Iterator[tuple[str, Block]]:
    head, body = "", list[str]()
    for line in lines:
        if line.startswith(indent) and line[len(indent) :][:1] not in ("", " "):
            if head:
                yield head, tuple(body)
            head, body = line, []
        else:
            body.append(line)
    if head:
        yield head, tuple(body)


def _key(head: str) -> str:
    """`'@scope/name@1.0.0':` or `name@1.0.0: {}` as the reference it is."""
    return head.removesuffix(" {}").removesuffix(":").strip("'")


def _direct(project: str, body: Block, projects: tuple[str, ...]) -> Iterator[str]:
    """The references that an importer's dependencies resolve to."""
    for kind, dependencies in _blocks(list(body), "    "):
        if kind.strip().removesuffix(":") not in _DEPENDENCIES:
            continue
        for head, lines in _blocks(list(dependencies), "      "):
            version = next((line.partition(":")[2].strip().strip("'") for line in lines if line.strip().startswith("version:")), "")
            if version.startswith("link:"):
                target = normpath(str(PurePosixPath(project) / version.removeprefix("link:")))
                if target not in projects:
                    raise UnlistedError(f"{project} depends on {target}")
                continue
            yield _reference(_key(head.strip()), version)


def _references(body: Block) -> Iterator[str]:
    """The references that a snapshot's dependencies resolve to."""
    for kind, dependencies in _blocks(list(body), "    "):
        if kind.strip() in ("dependencies:", "optionalDependencies:"):
            for line in dependencies:
                if line.strip():
                    name, _, version = line.strip().partition(": ")
                    yield _reference(name.strip("'"), version.strip("'"))


def _reference(name: str, version: str) -> str:
    """`name` and `1.0.0(peer@2)` joined; an alias (`other@1.0.0`) names its package itself."""
    plain = version.partition("(")[0]
    at, colon = plain.find("@"), plain.find(":")
    return version if at >= 0 and (colon < 0 or at < colon) else f"{name}@{version}"


def _catalogs(importers: list[Block]) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {}
    for body in importers:
        for _, dependencies in _blocks(list(body), "    "):
            for head, lines in _blocks(list(dependencies), "      "):
                for line in lines:
                    key, _, value = line.strip().partition(": ")
                    if key == "specifier" and (value := value.strip("'")).startswith("catalog:"):
                        used.setdefault(value.removeprefix("catalog:") or "default", set()).add(_key(head.strip()))
    return used


def _kept_catalogs(block: Block, used: Mapping[str, set[str]]) -> Iterator[tuple[str, Block]]:
    for head, body in _children(block):
        names = used.get(_key(head), set())
        kept = [line for name, lines in _blocks(list(body), "    ") if _key(name.strip()) in names for line in (name, *lines) if line]
        if kept:
            yield f"  {head}", (*kept, "")


def _document(text: str) -> dict[str, object]:
    """The workspace's file, a copy for each who asks."""
    return copy.deepcopy(_read_document(text))


@functools.lru_cache(maxsize=4)
def _read_document(text: str) -> dict[str, object]:
    import yaml

    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (it is a safe one)
    except yaml.YAMLError as error:
        raise ValueError(f"{WORKSPACE}: {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{WORKSPACE}: expected a mapping")
    return document


def _workspace(text: str, projects: tuple[str, ...], part: Part) -> str:
    """pnpm-workspace.yaml with these projects alone, and the catalogue entries and patches that they use. JSON is YAML too."""
    document = _document(text)
    document["packages"] = list(projects)
    if part.catalogs:
        _cut(document, "catalog", part.catalogs.get("default", set()))
        catalogs = document.get("catalogs")
        if isinstance(catalogs, dict):
            for name in catalogs:
                _cut(catalogs, name, part.catalogs.get(name, set()))
    if part.patched is not None:
        _cut(document, "patchedDependencies", part.patched)
        if not document.get("patchedDependencies"):
            document.pop("patchedDependencies", None)
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _cut(holder: dict[str, object], name: str, keep: set[str]) -> None:
    if name in holder:
        entries = holder[name]
        holder[name] = {key: value for key, value in entries.items() if key in keep} if isinstance(entries, dict) else {}


def _manifest(text: str, without: tuple[str, ...]) -> str:
    """A package.json without some of its keys: the root's, without what is for people, its tools and its scripts."""
    document = json.loads(text)
    return json.dumps({k: v for k, v in document.items() if k not in without}, indent=2) + "\n"


def _project(text: str, runs: list[str], *, dev: bool) -> str:
    """A project's package.json without the scripts for people and, where they are not installed, its development dependencies."""
    document = json.loads(text)
    if isinstance(scripts := document.get("scripts"), dict):
        document["scripts"] = _scripts(scripts, runs)
    return _manifest(json.dumps(document), () if dev else ("devDependencies",))


def _scripts(scripts: Mapping[str, str], runs: list[str]) -> dict[str, str]:
    """The scripts that a build may run: all but those for people, and of these the ones that another script or the Dockerfile names."""
    kept = {name: text for name, text in scripts.items() if not _PEOPLE.fullmatch(name)}
    while more := {name for name in scripts.keys() - kept.keys() if any(_mentions(text, name) for text in (*kept.values(), *runs))}:
        kept |= {name: scripts[name] for name in more}
    return {name: text for name, text in scripts.items() if name in kept}


def _mentions(text: str, name: str) -> bool:
    """Whether a text may run a script: by its name, or by that of the one which it comes before or after."""
    names = {name, name.removeprefix("pre"), name.removeprefix("post")}
    return any(re.search(rf"(?<![\w:-]){re.escape(each)}(?![\w:-])", text) for each in names)
