"""The folder outside the checkout in which everything slow is kept."""

import os
from collections.abc import Mapping
from pathlib import Path

from ops.errors import Failure


def cache() -> Path:
    """The cache folder, made if need be: $NEXTAI_CACHE, else $XDG_CACHE_HOME/nextai-agent, else ~/.cache/nextai-agent.

    Raises `Failure` when it cannot be made or written.
    """
    doing = "opening the cache folder"
    try:
        folder = place()
        folder.mkdir(parents=True, exist_ok=True)
        # os.access tells nothing on read-only mounts for root: only a write does.
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # threads of this process may ask at the same time
    except RuntimeError as error:
        raise Failure(doing, "there is no home folder", "Set NEXTAI_CACHE to a folder that you can write.") from error
    except OSError as error:
        cause = f"{error.filename or folder}: {error.strerror}"
        raise Failure(doing, cause, "Set NEXTAI_CACHE to a folder that you can write, with some gigabytes free.") from error
    return folder


def place() -> Path:
    """Where the cache folder is or would be; nothing is made. Raises RuntimeError when there is no home folder."""
    if named := os.environ.get("NEXTAI_CACHE"):
        return Path(named).expanduser().absolute()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser().absolute() / "nextai-agent"
    return Path.home() / ".cache" / "nextai-agent"


def homeless() -> Mapping[str, str]:
    """Where programs (go, uv, pnpm, npm) keep their own caches when the home folder cannot be written: in the cache folder.

    Empty where the home folder can be written; what the environment says already is left as it is.
    """
    try:
        if os.access(Path.home(), os.W_OK):
            return {}
        folder = place() / "home"
    except RuntimeError:  # no home folder at all, and no NEXTAI_CACHE: `cache` says so where it matters
        return {}
    places = {
        "XDG_CACHE_HOME": "cache",
        "XDG_DATA_HOME": "data",
        "XDG_STATE_HOME": "state",
        "GOPATH": "go",
        "npm_config_cache": "npm",
    }
    return {variable: str(folder / name) for variable, name in places.items() if not os.environ.get(variable)}
