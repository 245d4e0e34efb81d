"""Asking an image registry one thing: the digest that a tag stands for (OCI distribution spec 1.1, "Checking if content exists")."""

import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ops.errors import Failure
from ops.secret import Secret

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

SECONDS = 5.0  # that an answer may take, all in all
_MEDIA = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image's name in parts: where it is, what it is called there, and a tag or a digest."""

    registry: str
    repository: str
    tag: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.repository}{'@' if ':' in self.tag else ':'}{self.tag}"


def reference(text: str) -> Reference:
    """Read an image's name as Docker does: `node:24` is docker.io/library/node:24 (distribution/reference, normalize.go)."""
    name, _, digest = text.partition("@")
    head, slash, rest = name.partition("/")
    if not slash or not ("." in head or ":" in head or head == "localhost"):
        head, rest = "docker.io", name if slash else f"library/{name}"
    repository, _, tag = rest.partition(":")
    return Reference(head, repository, digest or tag or "latest")


def digests(wanted: Iterable[Reference], docker_config: Path | None) -> "dict[Reference, str | Failure | None]":
    """Ask for all at once: the digest, None where the registry has no such tag, or a `Failure` where it did not say."""
    credentials = _credentials(docker_config)
    asked = list(dict.fromkeys(wanted))
    answers: dict[Reference, str | Failure | None] = {ref: _failure(ref, f"no answer within {SECONDS:g} s") for ref in asked}

    def ask(ref: Reference) -> None:
        try:
            answers[ref] = _ask(ref, credentials)
        except Failure as failure:
            answers[ref] = failure

    # Daemon threads: a resolver that hangs must not keep the process from ending, as a thread pool would.
    threads = [threading.Thread(target=ask, args=(ref,), daemon=True) for ref in asked]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(answers)


def _credentials(docker_config: Path | None) -> Callable[[str], tuple[str, Secret] | None]:
    """Who the docker client is for a registry, as its config.json and its credential helpers say."""
    from docker.auth import load_config
    from docker.errors import DockerException

    config = load_config(str(docker_config / "config.json") if docker_config else None)

    def look(registry: str) -> tuple[str, Secret] | None:
        try:
            found = config.resolve_authconfig(registry) or {}
        except DockerException as error:
            raise Failure(f"reading the credentials for {registry}", str(error), f"Run `docker login {registry}`.") from error
        user, password = found.get("Username") or found.get("username"), found.get("Password") or found.get("password")
        return (user, Secret(password)) if user and password else None

    return look


def _ask(ref: Reference, credentials: Callable[[str], tuple[str, Secret] | None]) -> str | None:
    from requests import RequestException, Session

    with Session() as session:
        try:
            response = _head(session, ref, credentials)
        except RequestException as error:
            raise _failure(ref, _short(error)) from error
    if response.status_code == 404:
        return None
    digest = response.headers.get("Docker-Content-Digest", "")
    if response.status_code == 200 and re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return digest
    if response.status_code in (401, 403):
        remedy = f"Run `docker login {ref.registry}` with an account that may."
        raise _failure(ref, f"it refused ({response.status_code} {response.reason})", remedy)
    raise _failure(ref, f"it answered {response.status_code} {response.reason}" + ("" if digest else ", without a digest"))


def _head(session: "Session", ref: Reference, credentials: Callable[[str], tuple[str, Secret] | None]) -> "Response":
    from requests.auth import HTTPBasicAuth

    url = f"{_address(ref.registry)}/v2/{ref.repository}/manifests/{ref.tag}"
    headers = {"Accept": _MEDIA}
    response = session.head(url, headers=headers, timeout=(3, SECONDS), auth=_anonymous)
    challenge = response.headers.get("WWW-Authenticate", "")
    if response.status_code != 401 or not challenge:
        return response
    known = credentials(ref.registry)
    login = HTTPBasicAuth(known[0], known[1].reveal()) if known else None
    if challenge.lower().startswith("basic"):
        return session.head(url, headers=headers, timeout=(3, SECONDS), auth=login) if login else response
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = asked.pop("realm", "")
    if not realm.startswith("https://") and not is_loopback(urlsplit(realm).hostname or ""):
        return response  # a password goes nowhere in the clear
    granted = session.get(realm, params=asked, timeout=(3, SECONDS), auth=login or _anonymous)
    if not granted.ok:
        return granted
    token = granted.json().get("token") or granted.json().get("access_token", "")
    return session.head(url, headers={**headers, "Authorization": f"Bearer {token}"}, timeout=(3, SECONDS), auth=_anonymous)


def _anonymous(request: "PreparedRequest") -> "PreparedRequest":
    """Without this, requests would send what ~/.netrc has for the host."""
    return request


def _address(registry: str) -> str:
    if registry == "docker.io":
        return "https://registry-1.docker.io"
    return f"{'http' if is_loopback(registry.rpartition(':')[0] or registry) else 'https'}://{registry}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: Docker, too, speaks plain HTTP to a registry there."""
    return host in ("localhost", "::1", "[::1]") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def _failure(ref: Reference, cause: str, remedy: str = "") -> Failure:
    remedy = remedy or f"Check that the registry {ref.registry} is up and reachable from here."
    return Failure(f"asking the registry {ref.registry} for {ref.repository}", cause, remedy)


def _short(error: Exception) -> str:
    """The innermost cause: requests wraps the word that matters four deep."""
    inner = error
    while inner.args and isinstance(reason := getattr(inner.args[0], "reason", inner.args[0]), Exception):
        inner = reason
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return text.rpartition(": ")[2] or type(inner).__name__
