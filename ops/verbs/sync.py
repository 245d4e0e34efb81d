"""`sync`: the files that are derived from the catalogue."""

from ops import catalog
from ops.config import contract
from ops.console import emit_json, machine_readable, say


def sync(*, check: bool) -> int:
    """`invoke sync`: write the derived files, or with `check` only say which are stale (exit 1)."""
    loaded = catalog.load()
    paths = contract.stale(loaded) if check else contract.sync(loaded)
    if machine_readable():
        emit_json({"stale" if check else "written": [str(path) for path in paths]})
    for path in paths:
        say(f"{'stale' if check else 'wrote'} {path}")
    if check and paths:
        say("These files are derived from platform.yaml: run `invoke sync`, and commit them.")
        return 1
    if not paths:
        say("Every derived file agrees with platform.yaml.")
    return 0
