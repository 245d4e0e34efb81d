"""An image's part of the pnpm workspace: only what its own projects depend on, so that another service's dependency changes nothing here.

The lock file (format 9) is cut by lines, in the layout that pnpm writes it in, so what is kept is kept to the letter. A layout that
is not understood leaves the file whole: a needless build, never a wrong one; `pnpm install --frozen-lockfile` judges the outcome.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath

from ops.catalog.model import Image
from ops.errors import Failure, UsageError
from ops.images.disk import plain
from ops.images.key import blob
from ops.images.model import Entry

LOCK, WORKSPACE, MANIFEST = "pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"
Block = tuple[str, ...]
_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


def parts(root: Path, image: Image, entries: Mapping[str, Entry]) -> Iterator[Entry]:
    """The entries that take the place of the workspace's own files, where the image is built with pnpm."""
    names = (LOCK, WORKSPACE, MANIFEST)
    if not all(name in entries and entries[name].mode != "120000" for name in names):
        return
    projects = tuple(folder for folder in (image.path, *image.packages) if f"{folder}/{MANIFEST}" in entries)
    try:
        texts = {name: plain(root, name).decode("utf-8") for name in names}
        yield from cut(texts, projects, len(entries[LOCK].content))
    except UnlistedError as error:
        remedy = f"Add it to `packages` of {image.name} in platform.yaml."
        raise UsageError("cutting the lock file", f"{image.name}: {error}", remedy) from error
    except (OSError, ValueError) as error:
        raise Failure("cutting the lock file", str(error), "Run `pnpm install` to write the workspace's files anew.") from error


def cut(texts: Mapping[str, str], projects: tuple[str, ...], length: int = 40) -> Iterator[Entry]:
    """The workspace's three files, cut down to these projects."""
    lock, catalogs = prune(texts[LOCK], projects)
    workspace = _workspace(texts[WORKSPACE], projects, catalogs)
    for path, text in ((LOCK, lock), (WORKSPACE, workspace), (MANIFEST, _manifest(texts[MANIFEST]))):
        yield Entry(path, "100644", blob(text.encode(), length), text)


class UnlistedError(Exception):
    """A project depends on one that the catalogue does not list."""


def prune(lock: str, projects: tuple[str, ...]) -> tuple[str, dict[str, set[str]]]:
    """The part of a lock file that `projects` need, and the catalogue entries (by catalogue) that they refer to.

    The root project stays, without dependencies: its tools are for people, and no image is built with them.
    Raises `UnlistedError` when a project links to one that is not in `projects`.
    """
    sections = dict(_sections(lock))
    importers = dict(_children(sections.get("importers:", ())))
    wanted = [importers[f"{name}:"] for name in projects if f"{name}:" in importers]
    if not {"lockfileVersion: '9.0'", "importers:"} <= sections.keys() or len(wanted) < len(projects):
        return lock, {}
    snapshots = {_key(head): body for head, body in _children(sections.get("snapshots:", ()))}
    queue = [ref for name, body in zip(projects, wanted, strict=True) for ref in _direct(name, body, projects)]
    reached: set[str] = set()
    while queue:
        ref = queue.pop()
        if ref in reached:
            continue
        if ref not in snapshots:
            return lock, {}
        reached.add(ref)
        queue += _references(snapshots[ref])
    packages = {ref.partition("(")[0] for ref in reached}
    catalogs = _catalogs(wanted)
    keep = {
        "importers:": [("  .:", ("",))] + [(f"  {name}:", importers[f"{name}:"]) for name in sorted(projects)],
        "packages:": [(f"  {head}", body) for head, body in _children(sections.get("packages:", ())) if _key(head) in packages],
        "snapshots:": [(f"  {head}", body) for head, body in _children(sections.get("snapshots:", ())) if _key(head) in reached],
        "catalogs:": list(_kept_catalogs(sections.get("catalogs:", ()), catalogs)),
    }
    lines: list[str] = []
    for head, body in sections.items():
        lines += [head, *([""] + [line for block, rest in keep[head] for line in (block, *rest)] if head in keep else body)]
    return "\n".join(lines).replace("  .:\n", "  .: {}\n", 1).rstrip("\n") + "\n", catalogs


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


def _workspace(text: str, projects: tuple[str, ...], catalogs: Mapping[str, set[str]]) -> str:
    """pnpm-workspace.yaml with these projects alone, and the catalogue entries that they use. JSON is YAML too."""
    import yaml

    document = yaml.safe_load(text)
    if not isinstance(document, dict):
        raise ValueError(f"{WORKSPACE}: expected a mapping")
    document["packages"] = list(projects)
    if catalogs:
        _cut(document, "catalog", catalogs.get("default", set()))
        for name in document.get("catalogs") or {}:
            _cut(document["catalogs"], name, catalogs.get(name, set()))
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _cut(holder: dict[str, dict[str, str]], name: str, keep: set[str]) -> None:
    if name in holder:
        holder[name] = {key: value for key, value in (holder[name] or {}).items() if key in keep}


def _manifest(text: str) -> str:
    """The root package.json without what is for people: its tools and its scripts."""
    document = json.loads(text)
    return json.dumps({k: v for k, v in document.items() if k not in (*_DEPENDENCIES, "scripts")}, indent=2) + "\n"
