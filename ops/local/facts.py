"""Which engine runs the platform here, and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops.engine import connection
from ops.errors import Failure, UsageError
from ops.local import composefile
from ops.tools import find
from ops.tools.find import here
from ops.tools.table import TABLE
from ops.tools.versions import version_of

EngineName = Literal["compose", "embedded"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that runs the platform, and the reason in words."""

    engine: EngineName
    why: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A Docker Engine that answers: its version, where, and its API's version; or why none does, and what to do where that is known."""

    version: str = ""
    host: str = ""
    trouble: str = ""
    api: str = "0"
    remedy: str = ""


def docker(timeout: float = 3) -> Answer:
    """Ask the Docker Engine that the docker client would use for its version."""
    try:
        import docker as sdk
        from docker.errors import DockerException

        found = connection()
    except ImportError:
        return Answer(trouble="the docker package is not installed")
    except Failure as failure:
        return Answer(trouble=failure.cause, remedy=failure.remedy)
    host = found["base_url"]
    try:
        client = sdk.DockerClient(**found, timeout=int(timeout))
    except DockerException as error:
        return Answer(host=host, trouble=f"no Docker Engine answers at {host} ({_short(error)})")
    try:
        about = client.version()
        return Answer(str(about["Version"]), host, api=str(about["ApiVersion"]))
    except (DockerException, OSError) as error:
        return Answer(host=host, trouble=f"no Docker Engine answers at {host} ({_short(error)})")
    finally:
        client.close()


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
    """Compose where a Docker Engine answers and both it and the compose plugin are new enough, else embedded; or what was asked for.

    Raises `UsageError` for another name, `Failure` when compose was asked for and cannot be had.
    """
    check(forced)
    if forced == "embedded":
        return Choice("embedded", "it was asked for")
    answer = docker()
    trouble = answer.trouble or _too_old(answer) or _no_compose()
    if forced == "compose":
        if trouble:
            raise Failure("choosing the engine", trouble, answer.remedy or "Start or update Docker, or use `--engine embedded`.")
        return Choice("compose", "it was asked for")
    if trouble:
        return Choice("embedded", trouble)
    return Choice("compose", f"Docker Engine {answer.version} answers at {answer.host}")


def _too_old(answer: Answer) -> str:
    wanted = composefile.API
    if tuple(map(int, answer.api.split("."))) >= wanted:
        return ""
    number = ".".join(map(str, wanted))
    return f"Docker Engine {answer.version} at {answer.host} is too old: its API is {answer.api}, and {number} (Docker 25) is wanted"


def _no_compose() -> str:
    """Why the docker client cannot run the compose document: it, or its plugin, is missing or too old."""
    if here("compose"):
        return ""
    try:
        client = find("docker")
    except Failure as failure:
        return f"the docker client: {failure.cause}"
    spec = TABLE["compose"]
    version = version_of((*client.argv, spec.name), spec.ask, Path(client.argv[0]), remember=False)
    return f"the docker client has {f'compose plugin {version}' if version else 'no compose plugin'} ({spec.wanted} is wanted)"
