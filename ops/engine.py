"""Which Docker Engine the docker client would use, and how the SDK reaches it: the one home of that rule."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

from ops.errors import Failure, cause_of
from ops.folders import home

if TYPE_CHECKING:
    from docker.context import Context
    from docker.tls import TLSConfig

_DOING = "finding the Docker Engine"


class Connection(TypedDict):
    """What a client of the SDK is given: the engine's address, and its certificates where it is reached by TLS."""

    base_url: str
    tls: "TLSConfig | Literal[False]"


def connection(environ: Mapping[str, str] = os.environ) -> Connection:
    """The engine of DOCKER_HOST; else that of the context of DOCKER_CONTEXT, or of the one that `docker context use` chose.

    In the client's order (https://docs.docker.com/reference/cli/docker/#environment-variables). Nothing is asked of the engine.
    Raises `Failure` for certificates or a context that cannot be read, which the client refuses too, and for an engine behind ssh.
    """
    if environ.get("DOCKER_HOST"):
        return _of_host(environ)
    if not environ.get("DOCKER_CONTEXT") and not _chosen():
        return _connection("unix:///var/run/docker.sock", None)
    context = _context(environ.get("DOCKER_CONTEXT") or None)
    return _connection(context.Host or "unix:///var/run/docker.sock", context.TLSConfig)


def _chosen() -> bool:
    """Whether `docker context use` may have chosen a context: what the SDK, which takes long to import, need not be asked."""
    file = Path(os.environ.get("DOCKER_CONFIG") or home() / ".docker") / "config.json"
    try:
        return "currentContext" in file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True


def _of_host(environ: Mapping[str, str]) -> Connection:
    if environ["DOCKER_HOST"].startswith("unix://") and not environ.keys() & {"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"}:
        return _connection(environ["DOCKER_HOST"], None)
    from docker.errors import TLSParameterError
    from docker.utils import kwargs_from_env

    try:
        found = kwargs_from_env(environ)
    except TLSParameterError as error:
        cause = f"the certificates for DOCKER_HOST={environ['DOCKER_HOST']} cannot be read: {error.args[0]}"
        raise Failure(_DOING, cause, "Correct DOCKER_CERT_PATH, or unset it and DOCKER_TLS_VERIFY for an engine without TLS.") from error
    return _connection(found["base_url"], found.get("tls"))


def _context(name: str | None) -> "Context":
    from docker import ContextAPI
    from docker.context.config import get_current_context_name

    try:
        context: Context | None = ContextAPI.get_context(name)
        trouble = "it is not there"
    except Exception as error:  # the SDK raises that very class for a file that it cannot read
        context, trouble = None, cause_of(error)
    if context is None:
        chosen = f"DOCKER_CONTEXT={name}" if name else f"the docker context {get_current_context_name()}"
        raise Failure(_DOING, f"{chosen}: {trouble}", "`docker context ls` lists those there are; `docker context use NAME` chooses one.")
    return context


def _connection(address: str, tls: "TLSConfig | Literal[False] | None") -> Connection:
    if address.startswith("ssh://"):  # the SDK needs paramiko for it, also where the ssh program itself is run
        remedy = (
            "Let DOCKER_HOST or `docker context use NAME` name an engine at tcp:// or unix://; `invoke up --engine embedded` needs none."
        )
        raise Failure(_DOING, f"the engine at {address} is reached by ssh, which is not supported here", remedy)
    return {"base_url": address, "tls": tls or False}
