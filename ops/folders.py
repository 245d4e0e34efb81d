"""The folders outside the checkout: the cache, which holds everything slow, and the state of this machine's platform.

Imports are inside the functions: each verb's start waits for this file, before anything is kept compiled (ops/bytecode.py).
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path


def cache() -> Path:
    """The cache folder, made if need be: $NEXTAI_CACHE, else $XDG_CACHE_HOME/nextai-agent, else ~/.cache/nextai-agent.

    Raises `Failure` when it cannot be made or written.
    """
    from ops.errors import Failure

    doing = "opening the cache folder"
    try:
        folder = place()
        folder.mkdir(parents=True, exist_ok=True)
        # os.access tells nothing on read-only mounts for root: only a write does.
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink(missing_ok=True)  # threads of this process may ask at the same time
    except RuntimeError as error:
        raise Failure(doing, "there is no home folder", remedy("NEXTAI_CACHE")) from error
    except OSError as error:
        cause = f"{error.filename or folder}: {error.strerror}"
        raise Failure(doing, cause, remedy("NEXTAI_CACHE")) from error
    return folder


def remedy(variable: str) -> str:
    """What to do where the folder of a variable cannot be written. Where the other one cannot either, both are named at once."""
    places = {"NEXTAI_STATE": _state, "NEXTAI_CACHE": place}
    sizes = {"NEXTAI_STATE": "", "NEXTAI_CACHE": ", with some gigabytes free"}
    other = next(name for name in places if name != variable)
    if _writable(places[other]):
        return f"Set {variable} to a folder that you can write{sizes[variable]}."
    return "Set NEXTAI_STATE and NEXTAI_CACHE to two folders that you can write, the second with some gigabytes free."


def _writable(where: Callable[[], Path]) -> bool:
    """Whether a folder can be written, or made."""
    try:
        folder = where()
        if folder.is_relative_to(Path.home()) and not Path.home().is_dir():
            return False  # root may write to what is above a home that is not there, such as /proc, and make nothing in it
        return os.access(next(path for path in (folder, *folder.parents) if path.exists()), os.W_OK | os.X_OK)
    except (OSError, RuntimeError):
        return False


def place() -> Path:
    """Where the cache folder is or would be; nothing is made. Raises RuntimeError when there is no home folder."""
    if named := os.environ.get("NEXTAI_CACHE"):
        return Path(named).expanduser().absolute()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base).expanduser().absolute() / "nextai-agent"
    return Path.home() / ".cache" / "nextai-agent"


def home() -> Path:
    """Where other programs keep a person's settings (~/.docker, ~/.kube), to read them: / where the user has no home folder.

    Such a user is a number without a line in /etc/passwd, as containers have them.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def cache_variables() -> Mapping[str, str]:
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


def state_folder_of(root: Path) -> Path:
    """Where the state of a checkout is or would be: $NEXTAI_STATE, else a folder named by the checkout's path under
    $XDG_STATE_HOME/nextai-agent. Raises `Failure` when there is no home folder.
    """
    from ops.errors import Failure

    try:
        return _state() / ("" if os.environ.get("NEXTAI_STATE") else short(root))
    except RuntimeError as error:
        raise Failure("opening the state folder", "there is no home folder", remedy("NEXTAI_STATE")) from error


def _state() -> Path:
    """Where the state is or would be; without NEXTAI_STATE, where a folder for each checkout is."""
    if named := os.environ.get("NEXTAI_STATE"):
        return Path(named).expanduser().absolute()
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").expanduser().absolute() / "nextai-agent"


def short(folder: Path) -> str:
    """A name for a folder, of twelve hexadecimal digits."""
    import hashlib

    return hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:12]


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as output:
            output.write(text)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)  # cut off by a full disk
