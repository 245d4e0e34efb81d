"""What an image needs of a uv project's files: no settings of tools for people and, where they are not installed, no development groups.

`pyproject.toml` and `uv.lock` are cut by lines, so what is kept is kept to the letter. What is not understood stays whole.
"""

import re
from collections.abc import Callable, Iterator

from ops.images.dockerfile import Dockerfile, commands

PROJECT, LOCK = "pyproject.toml", "uv.lock"
Read = Callable[[str], str | None]
_TOOLS = frozenset({"ruff", "mypy", "pytest", "coverage", "pyright", "pylint", "black", "isort", "flake8", "tox", "nox"})
# Build backends that are built from nothing else: one exact version is the whole of what builds a package.
_ALONE = frozenset({"uv-build", "flit-core", "setuptools", "poetry-core", "pdm-backend"})
_HEADER = re.compile(r"\[\[?\s*([\w.\s\"-]+?)\s*\]\]?\s*(#.*)?")
_OWN = re.compile(r'^source = \{ (virtual|editable) = "\." \}$', re.MULTILINE)
_NEED = re.compile(r'^    \{ name = "([^"]+)"', re.MULTILINE)
_EXACT = re.compile(r"([\w.-]+)\s*==\s*[\w.!+-]+")


def production(recipe: Dockerfile) -> bool:
    """Whether a Dockerfile installs no development groups: by UV_NO_DEV from the first `uv sync` on, or by an option of each."""
    unset = False
    for each in recipe.instructions:
        if each.name == "ENV" and re.search(r"\bUV_NO_DEV=(1|true)\b", each.text):
            return not unset
        unset = unset or (each.name == "RUN" and "uv sync" in each.text)
    syncs = [part for part in commands(recipe) if re.search(r"\buv\s+(sync|run)\b", part)]
    return bool(syncs) and all(re.search(r"\s--(no-dev|no-default-groups)\b", part) for part in syncs)


def parts(folder: str, read: Read, *, dev: bool) -> dict[str, str]:
    """The texts that take the place of a project's own files, by path. Raises ValueError for a file that is no TOML."""
    names = {name: f"{folder}/{name}" for name in (PROJECT, LOCK)}
    texts = {name: text for name, path in names.items() if (text := read(path)) is not None}
    cut = {names[PROJECT]: project(texts[PROJECT], dev=dev)} if PROJECT in texts else {}
    return cut | ({names[LOCK]: lock(texts[LOCK])} if LOCK in texts and not dev else {})


def project(text: str, *, dev: bool) -> str:
    """A pyproject.toml without what is for people. A layout in which a line says something else than it seems to stays whole."""
    import tomllib

    whole = tomllib.loads(text)
    if "conflicts" in whole.get("tool", {}).get("uv", {}):  # it may name a group
        dev = True
    lines, table = list[str](), ""
    for line in text.splitlines():
        if match := _HEADER.fullmatch(line.strip()):
            table = match[1].replace('"', "").replace(" ", "")
        skipped = table.removeprefix("tool.").partition(".")[0] in _TOOLS and table.startswith("tool.")
        skipped = skipped or (not dev and (table == "dependency-groups" or (table == "tool.uv" and line.startswith("default-groups"))))
        if not skipped and line.strip() and not line.lstrip().startswith("#"):
            lines.append(line)
    cut = "\n".join(lines) + "\n"
    try:
        return cut if tomllib.loads(cut) == _without(whole, dev=dev) else text
    except tomllib.TOMLDecodeError:
        return text


def _without(document: dict[str, object], *, dev: bool) -> dict[str, object]:
    tools = document.get("tool")
    kept = {name: value for name, value in tools.items() if name not in _TOOLS} if isinstance(tools, dict) else {}
    if not dev and isinstance(settings := kept.get("uv"), dict):
        kept["uv"] = {name: value for name, value in settings.items() if name != "default-groups"}
    rest = {name: value for name, value in document.items() if name != "tool" and (dev or name != "dependency-groups")}
    return rest | ({"tool": kept} if kept else {})


def lock(text: str) -> str:
    """A uv.lock without development groups, and without what only they reach. All versions of a package stay that one needs."""
    head, *blocks = text.split("\n[[package]]\n")
    named = [(_name(block), _without_groups(block)) for block in blocks]
    packages: dict[str, list[str]] = {}
    for name, block in named:
        packages.setdefault(name, []).append(block)
    queue = [name for name, block in named if _OWN.search(block)]
    if not queue or "dependency-groups" in head or "" in packages:
        return text
    reached: set[str] = set()
    while queue:
        name = queue.pop()
        if name in packages and name not in reached:
            reached.add(name)
            queue += [need for block in packages[name] for need in _NEED.findall(block)]
    return "\n[[package]]\n".join([head, *(block.rstrip("\n") + "\n" for name, block in named if name in reached)])


def _name(block: str) -> str:
    match = re.match(r'name = "([^"]+)"\n', block)
    return match[1] if match else ""


def _without_groups(block: str) -> str:
    """A package of the lock file without its development groups, and what is said of them."""
    return re.sub(r"^\[package\.(dev-dependencies|metadata\.requires-dev)\]\n(?:(?!\[).*\n?)*", "", block, flags=re.M)


def unlocked(path: str, text: str) -> Iterator[str]:
    """What builds a project and stands in no lock, a line each."""
    import tomllib

    document = tomllib.loads(text)
    system = document.get("build-system")
    if system is None:
        if document.get("tool", {}).get("uv", {}).get("package") is True:
            yield f"{path} names no [build-system]: what builds it is chosen anew each time"
        return
    for need in system.get("requires", ()):
        match = _EXACT.fullmatch(need.partition(";")[0].strip())
        if not match or re.sub(r"[-_.]+", "-", match[1]).lower() not in _ALONE:
            yield f"{path} is built with {need}"


def built(text: str) -> Iterator[str]:
    """The packages of a uv.lock that must be built from their sources, since there is no wheel: a line each."""
    for block in text.split("\n[[package]]\n")[1:]:
        if re.search(r"^source = \{ (registry|url|git) =", block, re.M) and not re.search(r"^wheels = \[|\.whl", block, re.M):
            yield f"{_name(block)} has no wheel, and is built with what its sources name"
