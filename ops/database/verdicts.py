"""Verdicts that were given before, kept by everything that they depend on."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cache as once
from pathlib import Path
from uuid import uuid4

from ops.config import sidecar
from ops.database.findings import DOUBTS, Finding, Verdict
from ops.database.journal import Migration
from ops.errors import Failure

_memory: dict[str, Verdict] = {}


def chain(history: Sequence[Migration], pending: Sequence[Migration], user: str, source: str = "") -> list[str]:
    """A key for each pending file: of the judges, the role, the database, the files before it and itself, in their order."""
    digest = hashlib.sha256(f"{_judges()}\n{os.environ.get(sidecar.VARIABLE, '')}\n{user}\n{source}\n".encode())
    keys: list[str] = []
    for migration in (*history, *pending):
        digest.update(f"{migration.tag} {migration.hash}\n".encode())
        keys.append(digest.hexdigest())
    return keys[len(history) :]


@once
def _judges() -> str:
    """What judges: the sources of this room, and the programs that are asked."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(source.read_bytes())
    with suppress(Failure, ImportError):
        from ops import tools

        digest.update(" ".join(tools.find("squawk").argv).encode())
    with suppress(OSError, ImportError):
        from ops.stores import kind_of

        server = kind_of("postgres").embedded
        digest.update((server.program.locked.folder / "uv.lock").read_bytes() if server else b"")
    return digest.hexdigest()


def kept(key: str) -> Verdict | None:
    """The verdict that was kept under a key."""
    if key in _memory:
        return _memory[key]
    file = _file(key)
    if file is None:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        document = json.loads(file.read_text())
        return _memory.setdefault(key, Verdict(tuple(Finding(**one) for one in document["findings"]), document["tried"]))
    return None


def keep(key: str, verdict: Verdict, *, lasting: bool = True) -> None:
    """Keep a verdict. One without a run, or with a statement that could not be tried, is kept for this process alone."""
    _memory[key] = verdict
    passing = not lasting or not verdict.tried or any(finding.rule in DOUBTS for finding in verdict.findings)
    file = None if passing or sidecar.VARIABLE in os.environ else _file(key)
    if file is None:
        return
    draft = file.with_suffix(f".{uuid4().hex[:8]}")
    with suppress(OSError):
        draft.write_text(json.dumps({"tried": verdict.tried, "findings": [asdict(one) for one in verdict.findings]}))
        draft.replace(file)


def _file(key: str) -> Path | None:
    """Where a verdict lies on disk: nowhere in the image of the migration Job, which has no cache."""
    try:
        from ops.folders import cache

        folder = cache() / "verdicts"
        folder.mkdir(exist_ok=True)
    except (ImportError, Failure, OSError):
        return None
    return folder / f"{key}.json"
