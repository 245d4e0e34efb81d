"""An image's part of the pnpm workspace: only what its own projects depend on; another service's dependency changes nothing here."""

import copy
import functools
import json
import re
from collections.abc import Callable, Mapping
from posixpath import normpath

from ops import documents
from ops.catalog.model import Image
from ops.images.dockerfile import Dockerfile, commands
from ops.images.pnpmlock import DEPENDENCIES, Part, UnlistedError, prune

__all__ = ["HOOKS", "LOCK", "MANIFEST", "NAMES", "WORKSPACE", "UnlistedError", "hooks", "parts", "patches", "production"]

LOCK, WORKSPACE, MANIFEST = "pnpm-lock.yaml", "pnpm-workspace.yaml", "package.json"
NAMES = (LOCK, WORKSPACE, MANIFEST)
HOOKS = (".pnpmfile.cjs", ".pnpmfile.mjs")
Read = Callable[[str], str | None]
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
        MANIFEST: _manifest(texts[MANIFEST], (*DEPENDENCIES, "scripts")),
        **{f"{folder}/{MANIFEST}": _project(text, runs, dev=dev) for folder, text in manifests.items()},
    }
    patched = [path for name, path in patches(read).items() if part.patched is None or name in part.patched]
    return cut, (*patched, *hooks(read))


def _document(text: str) -> dict[str, object]:
    """The workspace's file, a copy for each who asks."""
    return copy.deepcopy({**_read_document(text)})


@functools.lru_cache(maxsize=4)
def _read_document(text: str) -> Mapping[str, object]:
    import yaml

    try:
        document = documents.load(text)
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
