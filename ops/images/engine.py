"""Asking a Docker engine two things: which platform it is of, and what it has under a name.

The SDK takes a quarter of a second to be imported. An engine behind a socket of this machine is asked without it, in the engine's own
HTTP interface (https://docs.docker.com/reference/api/engine/); an engine at another address is asked through the SDK.
"""

import json
import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from threading import Lock
from typing import Protocol
from urllib.parse import quote

from ops.engine import connection
from ops.errors import Failure, cause_of
from ops.images.model import BuildEngine

SECONDS = 5
DOING = "asking the Docker engine"
Document = Mapping[str, object]


class Asked(Protocol):
    """An engine that answers."""

    def version(self) -> Document:
        """What it says of itself: `Os`, `Arch` and more."""

    def inspect_image(self, name: str) -> Document | None:
        """What it has under a name; None for nothing. Raises `Failure` where it does not say."""


class Engines(Asked, Protocol):
    """An engine that is also told something."""

    def remove_image(self, name: str) -> None:
        """Take away an image that has no other name. Raises `Failure` where that is not done."""


def connect(engine: BuildEngine) -> Engines:
    """An engine, which has answered. Raises `Failure` that names its address."""
    found = connection(engine.environment if engine.docker_host else os.environ)
    address = found["base_url"]
    asked = _Socket(address.removeprefix("unix://")) if address.startswith("unix://") else None
    try:
        if asked is None:
            return _Sdk(found)
        asked.version()
    except Failure as failure:
        remedy = "Start Docker, or run `invoke testbed.up`; `invoke doctor` shows what is found."
        raise Failure(DOING, f"the Docker engine at {address} does not answer", remedy) from failure
    return asked


class LazyEngine:
    """An engine that is reached when it is asked the first time. False where it cannot be reached. Safe for threads."""

    def __init__(self, engine: BuildEngine) -> None:
        self.engine = engine
        self._found: Asked | Failure | None = None
        self._lock = Lock()

    def __bool__(self) -> bool:
        return not isinstance(self._reach(), Failure)

    def version(self) -> Document:
        """See `Asked`."""
        return self._asked().version()

    def inspect_image(self, name: str) -> Document | None:
        """See `Asked`."""
        return self._asked().inspect_image(name)

    def _reach(self) -> Asked | Failure:
        with self._lock:
            if self._found is None:
                try:
                    self._found = connect(self.engine)
                except Failure as failure:
                    self._found = failure
            return self._found

    def _asked(self) -> Asked:
        found = self._reach()
        if isinstance(found, Failure):
            raise found
        return found


class _Socket:
    """An engine behind a socket of this machine."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._version: Document | None = None

    def version(self) -> Document:
        if self._version is None:
            self._version = self._get("/version") or {}
        return self._version

    def inspect_image(self, name: str) -> Document | None:
        return self._get(f"/images/{quote(name, safe='/:@')}/json")

    def remove_image(self, name: str) -> None:
        self._get(f"/images/{quote(name, safe='/:@')}", "DELETE")

    def _get(self, path: str, method: str = "GET") -> Document | None:
        http = _Connection(self._path)
        try:
            http.request(method, path)
            response = http.getresponse()
            status, text = response.status, response.read()
            document = json.loads(text)
        except (OSError, HTTPException, ValueError) as error:
            raise _failure(path, cause_of(error)) from error
        finally:
            http.close()
        if status == 404:
            return None
        if status != 200:
            words = document.get("message") if isinstance(document, dict) else ""
            raise _failure(path, f"it answered {status} {words}".rstrip())
        return document if isinstance(document, dict) else {}


class _Connection(HTTPConnection):
    """HTTP over a socket of this machine."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        import socket

        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self._path)


class _Sdk:
    """An engine at an address that the SDK knows the way to."""

    def __init__(self, found: Mapping[str, object]) -> None:
        from docker import APIClient
        from docker.errors import DockerException
        from requests import RequestException

        try:
            self._client = APIClient(**found, version="auto", timeout=SECONDS)  # type: ignore[arg-type]
        except (DockerException, RequestException) as error:
            raise _failure("/version", cause_of(error)) from error

    def version(self) -> Document:
        found: Document = self._client.version()
        return found

    def inspect_image(self, name: str) -> Document | None:
        from docker.errors import DockerException, ImageNotFound
        from requests import RequestException

        try:
            found: Document = self._client.inspect_image(name)  # type: ignore[no-untyped-call]
        except ImageNotFound:
            return None
        except (DockerException, RequestException) as error:
            raise _failure(name, cause_of(error)) from error
        return found

    def remove_image(self, name: str) -> None:
        from docker.errors import DockerException
        from requests import RequestException

        try:
            self._client.remove_image(name)
        except (DockerException, RequestException) as error:
            raise _failure(name, cause_of(error)) from error


def _failure(what: str, cause: str) -> Failure:
    return Failure(DOING, f"{what}: {cause}", "Run `docker info` to see how the engine is.")
