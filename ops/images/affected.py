"""Which images a change reaches."""

import functools
import json
import os
from collections.abc import Mapping

from ops.catalog.load import FILE
from ops.catalog.model import Catalog, Image
from ops.command import Command, raw, run
from ops.errors import Failure, UsageError
from ops.images import dockerfile, pnpm
from ops.images.cuts import Read
from ops.images.inputs import Texts, declared, is_idle, parts

DOING = "finding what a change affects"


def affected(catalog: Catalog, since: str) -> list[str]:
    """The images, in the catalogue's order, whose inputs differ between the checkout as it is now and where it left `since`.

    That is the merge base of the two: what `since` alone went on to change is not this checkout's.
    Raises `UsageError` for a revision that git does not know, or that has no commit in common with this one.
    """
    base = merge_base(catalog, since)
    changed = set(_names(catalog, "diff", "-z", "--name-only", "--no-renames", "--relative", base, "--", "."))
    changed |= set(_names(catalog, "ls-files", "-z", "--others", "--exclude-standard"))
    before = _declarations(_show(catalog, base, FILE) or "") if FILE in changed else None
    now = _declarations((catalog.root / FILE).read_text(encoding="utf-8")) if FILE in changed else None
    sides = Texts(catalog.root), functools.cache(functools.partial(_show, catalog, base))
    return [
        name
        for name, image in catalog.images.items()
        if (now and (before or {}).get(name) != now.get(name)) or _reached(catalog, image, changed, sides)
    ]


def merge_base(catalog: Catalog, since: str) -> str:
    """The commit where this checkout's history left that of `since`."""
    commit = f"{since}^{{commit}}"
    found = _git(catalog, "rev-parse", "--verify", "--quiet", "--end-of-options", commit, usage=f"{since!r} is not a commit that git knows")
    return _git(catalog, "merge-base", found.strip(), "HEAD", usage=f"{since!r} and this checkout have no commit in common").strip()


def _reached(catalog: Catalog, image: Image, changed: set[str], sides: tuple[Read, Read]) -> bool:
    """Whether one of the changed files goes into an image, and is another one there. `sides`: the texts now, and those of before."""
    apart = catalog.database.migrations
    hits = {
        path
        for path in changed
        for folder in declared(image)
        if path == folder or (path.startswith(folder + "/") and not is_idle(path, folder, apart))
    }
    if not hits and image.dockerfile not in changed and pnpm.WORKSPACE not in declared(image):
        return False
    now, before = (_part(image, read) for read in sides)
    if now is None or before is None:  # what cannot be compared counts
        return bool(hits) or image.dockerfile in changed
    cut = now.keys() | before.keys()
    return bool(hits - cut) or any(now.get(path) != before.get(path) for path in cut)


def _part(image: Image, read: Read) -> dict[str, str | None] | None:
    """The Dockerfile without its comments, the texts of which an image gets a part, and the further files; None where one is not read."""
    try:
        recipe = dockerfile.read(read(image.dockerfile) or "")
        cut, further = parts(image, read, recipe)
        return {**cut, **{path: read(path) for path in further}, image.dockerfile: recipe.bare()}
    except (ValueError, UsageError):
        return None


def _declarations(text: str) -> dict[str, str]:
    """What platform.yaml says of each image that can change it, as text to compare; empty where it cannot be read."""
    import yaml

    try:
        document = yaml.safe_load(text)
        images: Mapping[str, Mapping[str, object]] = {**document.get("services", {}), **document.get("jobs", {})}
        fields = ("path", "packages", "files", "dockerfile", "port")
        stacks = {name: {k: v for k, v in stack.items() if k != "test"} for name, stack in document.get("stacks", {}).items()}
        nodes = document.get("nodes")
        rows = {name: ({k: entry.get(k) for k in fields}, stacks.get(str(entry.get("stack"))), nodes) for name, entry in images.items()}
    except (yaml.YAMLError, AttributeError, TypeError):
        return {}
    return {name: json.dumps(row, sort_keys=True, default=str) for name, row in rows.items()}


def _show(catalog: Catalog, since: str, path: str) -> str | None:
    try:
        return _git(catalog, "show", "--no-textconv", f"{since}:./{path}")
    except Failure:  # it was not there yet
        return None


def _names(catalog: Catalog, *arguments: str) -> list[str]:
    return os.fsdecode(raw(Command(("git", *arguments), DOING, cwd=catalog.root, env={"LC_ALL": "C"}))).split("\0")[:-1]


def _git(catalog: Catalog, *arguments: str, usage: str = "") -> str:
    done = run(Command(("git", *arguments), DOING, cwd=catalog.root, env={"LC_ALL": "C"}), check=not usage)
    if done.code and usage:
        cause = done.stderr.strip().removeprefix("fatal: ") or usage  # git has words for no clone, and for one it does not trust
        remedy = "In a clone of the platform, name a branch, a tag or a commit; in CI, fetch enough history (fetch-depth: 0)."
        raise UsageError(DOING, cause, remedy)
    return done.stdout
