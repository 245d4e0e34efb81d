"""The programs of the stores as processes of this machine: locked packages, which are fetched when they are first needed."""

from collections.abc import Iterable
from pathlib import Path

from ops.errors import Failure
from ops.stores import kind_of
from ops.stores.model import Program
from ops.tools.find import find, on_path
from ops.tools.kept import whole
from ops.tools.locked import fetched, lack, place


def program(kind: str) -> Path:
    """The program of a kind of store, fetched if need be. Raises `Failure` where this machine cannot have it."""
    wanted = _program(kind)
    if wanted is None or (not _is_here(wanted) and _absent(wanted)):
        if instead := _instead(wanted):
            return instead
        require([kind])
    assert wanted is not None
    folder = fetched(wanted.locked, find("uv"))
    found = sorted(folder.glob(wanted.path), key=lambda path: [(len(part), part) for part in path.parts])
    if not found:
        cause = f"{folder} has no {wanted.path}"
        raise Failure(f"looking for {wanted.locked.what}", cause, f"Correct {wanted.locked.folder / 'pyproject.toml'}.")
    return found[-1]


def require(kinds: Iterable[str]) -> None:
    """Raises `Failure` that names every kind of store which this machine cannot have, with what to do about each."""
    absent = {kind: why for kind in kinds if (why := why_absent(kind))}
    if absent:
        remedies = [known.instead.remedy for kind in absent if (known := _program(kind)) and known.instead]
        others = "Or start Docker, and use `--engine compose`." if remedies else "Start Docker, and use `--engine compose`."
        cause = "\n".join(f"{kind}: {why}" for kind, why in absent.items())
        raise Failure("looking for the stores' programs", cause, " ".join([*remedies, others]))


def why_absent(kind: str) -> str:
    """Why this machine cannot have a kind of store; the empty string where it can. Nothing is fetched."""
    wanted = _program(kind)
    if wanted is None:
        return "it has no embedded server"
    if _is_here(wanted):
        return ""
    reason = _absent(wanted)
    if not reason or _instead(wanted):
        return ""
    other = f", and no {wanted.instead.name} ({wanted.instead.wanted} is wanted) is on PATH" if wanted.instead else ""
    return f"there is no {wanted.locked.what} for this machine ({reason}){other}"


def present(kind: str) -> str:
    """Where a program would be taken from without fetching anything: the empty string where it would be fetched first."""
    wanted = _program(kind)
    if wanted and _is_here(wanted):
        return "locked"
    return "PATH" if wanted and _absent(wanted) and _instead(wanted) else ""


def _program(kind: str) -> Program | None:
    embedded = kind_of(kind).embedded
    return embedded.program if embedded else None


def _is_here(wanted: Program) -> bool:
    return whole(place(wanted.locked))


def _absent(wanted: Program) -> str:
    return lack(wanted.locked, find("uv"))


def _instead(wanted: Program | None) -> Path | None:
    tool = on_path(wanted.instead) if wanted and wanted.instead else None
    return Path(tool.argv[0]) if tool else None
