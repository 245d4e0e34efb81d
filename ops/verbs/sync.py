"""`sync`: the files that are derived from the catalogue."""

from contextlib import suppress
from pathlib import Path

from ops import catalog
from ops.catalog import Catalog
from ops.config import contract, example
from ops.console import emit_json, machine_readable, say
from ops.manifests import derived as manifests


def sync(*, check: bool) -> int:
    """`invoke sync`: write the derived files, or with `check` only say which are stale (exit 1)."""
    loaded = catalog.load()
    paths = stale(loaded) if check else write(loaded)
    if machine_readable():
        emit_json({"stale" if check else "written": [str(path) for path in paths]})
    for path in paths:
        say(f"{'stale' if check else 'wrote' if (loaded.root / path).exists() else 'removed'} {path}")
    if check and paths:
        say("These files are derived from platform.yaml: run `invoke sync`, and commit them.")
        return 1
    if not paths:
        say("Every derived file agrees with platform.yaml.")
    return 0


def derived(known: Catalog) -> dict[Path, str]:
    """Every file that is derived from the catalogue, by its path relative to the checkout, with its text."""
    return {**contract.derived(known), example.FILE: example.text(known), **manifests.files(known)}


def stale(known: Catalog) -> list[Path]:
    """The derived files that are missing, whose text is not what the catalogue says, or that it no longer has."""
    return list(_changes(known))


def write(known: Catalog) -> list[Path]:
    """Write the derived files that are stale, remove those that the catalogue no longer has, and return both."""
    changes = _changes(known)
    for path, text in changes.items():
        file = known.root / path
        if text is None:
            file.unlink()
            with suppress(OSError):  # a folder with something by hand in it stays
                file.parent.rmdir()
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    return list(changes)


def _changes(known: Catalog) -> dict[Path, str | None]:
    changes: dict[Path, str | None] = {path: text for path, text in derived(known).items() if _read(known.root / path) != text}
    return changes | dict.fromkeys(manifests.left_over(known))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
