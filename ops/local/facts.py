"""Which engine there is, and why the other one is not taken."""

import os
from dataclasses import dataclass
from typing import Literal

from ops.errors import Failure, UsageError
from ops.tools import find
from ops.tools.find import here

EngineName = Literal["compose", "embedded"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that runs the platform, and the reason in words."""

    engine: EngineName
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A Docker Engine that answers: its version and where; or why none does."""

    version: str = ""
    host: str = ""
    trouble: str = ""


def docker(timeout: float = 3) -> Answer:
    """Ask the Docker Engine that the docker client would use (DOCKER_HOST, else its context) for its version."""
    host = docker_host()
    try:
        import docker as sdk
        from docker.errors import DockerException
    except ImportError:
        return Answer(host=host, trouble="the docker package is not installed")
    try:
        client = sdk.DockerClient(base_url=host, timeout=int(timeout))
    except DockerException as error:
        return Answer(host=host, trouble=f"no Docker Engine answers at {host} ({_short(error)})")
    try:
        return Answer(str(client.version()["Version"]), host)
    except (DockerException, OSError) as error:
        return Answer(host=host, trouble=f"no Docker Engine answers at {host} ({_short(error)})")
    finally:
        client.close()


def docker_host() -> str:
    """The address of the Docker Engine that the docker client would use."""
    return os.environ.get("DOCKER_HOST") or _context_host()


def _context_host() -> str:
    """The endpoint of the context that `docker context use` chose; the default socket otherwise."""
    try:
        from docker import ContextAPI

        context = ContextAPI.get_current_context()
        return str(context.Host) if context and context.Host else "unix:///var/run/docker.sock"
    except Exception:  # an unreadable context is one that is not there
        return "unix:///var/run/docker.sock"


def _short(error: BaseException) -> str:
    text = str(error)
    for known in ("No such file or directory", "Connection refused", "Permission denied", "timed out"):
        if known in text:
            return known.lower()
    return text.splitlines()[0][:120] if text else type(error).__name__


def check(forced: str | None) -> None:
    """Raises `UsageError` for an engine that there is not."""
    if forced not in (None, "compose", "embedded"):
        raise UsageError("choosing the engine", f"there is no engine {forced!r}", "One of: compose, embedded.")


def choose(forced: str | None) -> Choice:
    """Compose where a Docker Engine answers and its compose plugin is there, else embedded; or what was asked for.

    Raises `UsageError` for another name, `Failure` when compose was asked for and cannot be had.
    """
    check(forced)
    if forced == "embedded":
        return Choice("embedded", "it was asked for")
    answer = docker()
    trouble = answer.trouble or ("" if here("compose") else "the docker client has no compose plugin")
    if forced == "compose":
        if trouble:
            raise Failure("choosing the engine", trouble, "Start Docker, or use `--engine embedded`.")
        find("compose")
        return Choice("compose", "it was asked for")
    if trouble:
        return Choice("embedded", trouble)
    return Choice("compose", f"Docker Engine {answer.version} answers at {answer.host}")
