"""A program's version, asked once and remembered as long as its file does not change."""

import contextlib
import json
import os
import re
import subprocess
from pathlib import Path

from ops.folders import place

_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def version_of(argv: tuple[str, ...], ask: tuple[str, ...], file: Path, *, remember: bool = True) -> str | None:
    """The version that a program says it has, such as "1.26.8"; None when it does not start or says none.

    Remembered by the path, time and size of `file`, since starting a program takes up to half a second.
    """
    try:
        facts = file.stat()
    except OSError:
        return None
    key = " ".join((str(file), *ask))
    stamp = [facts.st_mtime_ns, facts.st_size]
    known = _read() if remember else {}
    entry = known.get(key)
    if isinstance(entry, list) and len(entry) == 3 and entry[:2] == stamp:  # it may be damaged, as all that is kept
        return str(entry[2])
    version = _asked((*argv, *ask))
    if version and remember:
        _write({**_read(), key: [*stamp, version]})
    return version


def _asked(argv: tuple[str, ...]) -> str | None:
    # Not ops.command.run: a program that is broken or hangs is simply not there, which is no failure of the verb.
    environment = {**os.environ, "GOTOOLCHAIN": "local", "NO_COLOR": "1"}
    try:
        done = subprocess.run(
            argv, check=False, capture_output=True, text=True, errors="replace", timeout=20, stdin=subprocess.DEVNULL, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    match = _NUMBER.search(done.stdout) or _NUMBER.search(done.stderr)
    return match.group() if match else None


def _file() -> Path:
    return place() / "tools" / "versions.json"


def _read() -> dict[str, list[int | str]]:
    try:
        known = json.loads(_file().read_text("utf-8"))
    except (OSError, ValueError, RuntimeError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(known: dict[str, list[int | str]]) -> None:
    # A lost race or a read-only cache costs one more question, never a failure.
    with contextlib.suppress(OSError, RuntimeError):
        file = _file()
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f"versions-{os.getpid()}.json")
        try:
            draft.write_text(json.dumps(known, indent=1, sort_keys=True), "utf-8")
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)  # cut off by a full disk
