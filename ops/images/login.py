"""Who we are to a registry: what the Docker client's config.json and its credential helpers say
(github.com/docker/cli, docs of `docker login`; github.com/docker/docker-credential-helpers).

They are read when a registry asks, and not before: one that asks for nothing works with a broken file too.
"""

import base64
import binascii
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ops.documents import Json
from ops.errors import Failure
from ops.folders import home
from ops.secret import Secret, hide, register

HELPER_SECONDS = 10.0  # for a credential helper, which may ask a password manager
_DOCKER_HUB: Final = "https://index.docker.io/v1/"  # the name under which the Docker client keeps docker.io
_MISSING: Final = "credentials not found"  # how every helper says that it has none
_IDENTITY: Final = "<token>"  # the user name of what is an identity token


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password, or an identity token that is exchanged for access, or a token that is access itself."""

    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    identity: Secret | None = None
    access: Secret | None = None


@dataclass(slots=True)
class Logins:
    """The logins of a Docker client, each looked up once. Safe for threads."""

    folder: Path | None = None
    _found: dict[str, Login | Failure | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, registry: str) -> Login | None:
        """The login for a registry, or None. Raises `Failure` that names the file or the helper that failed."""
        with self._lock:
            if registry not in self._found:
                try:
                    self._found[registry] = _look(self._file(), registry)
                except Failure as failure:
                    self._found[registry] = failure
        found = self._found[registry]
        if isinstance(found, Failure):
            raise found
        return found

    def _file(self) -> Path:
        return (self.folder or Path(os.environ.get("DOCKER_CONFIG") or home() / ".docker")) / "config.json"


def _look(file: Path, registry: str) -> Login | None:
    config = _read(file, registry)
    helper = _entry(config.get("credHelpers"), registry) or config.get("credsStore")
    if isinstance(helper, str) and helper:
        return _ask(helper, registry)
    entry = _entry(config.get("auths"), registry)
    return _login(file, registry, entry) if isinstance(entry, dict) else None


def _read(file: Path, registry: str) -> dict[str, Json]:
    try:
        document: Json = json.loads(file.read_text(encoding="utf-8-sig") or "{}")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _wrong(file, registry, str(error.strerror)) from error
    except ValueError as error:  # its own words may quote a password
        raise _wrong(file, registry, "it is no JSON") from error
    if not isinstance(document, dict):
        raise _wrong(file, registry, "it is no object")
    return document


def _wrong(file: Path, registry: str, cause: str) -> Failure:
    return Failure(f"reading {file}", cause, f"Repair the file, or remove it and run `docker login {registry}`.")


def _entry(entries: Json, registry: str) -> Json:
    """The entry of a registry: under its name, or an address of it, with a scheme and a path or without."""
    if not isinstance(entries, dict):
        return None
    return next((value for name, value in entries.items() if _host(name) == registry), None)


def _host(name: str) -> str:
    host = name.partition("://")[2] or name
    host = host.partition("/")[0].lower()
    return "docker.io" if host in ("index.docker.io", "registry-1.docker.io") else host


def _login(file: Path, registry: str, entry: dict[str, Json]) -> Login | None:
    def text(name: str) -> str:
        value = entry.get(name)
        return value if isinstance(value, str) else ""

    user, password = text("username"), text("password")
    if text("auth"):
        try:
            user, _, password = base64.b64decode(text("auth"), validate=True).decode().rstrip("\0").partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            remedy = f"Run `docker login {registry}`."
            raise Failure(f"reading {file}", f"`auth` of {registry} is no base64", remedy) from error
    register(password, text("identitytoken"), text("registrytoken"))
    if text("registrytoken"):
        return Login(access=Secret(text("registrytoken")))
    if text("identitytoken"):
        return Login(user, identity=Secret(text("identitytoken")))
    return Login(user, Secret(password)) if user and password else None


def _ask(name: str, registry: str) -> Login | None:
    """Ask a credential helper. What it gives is a secret, what it says when it fails is not (it says it on either stream)."""
    program = f"docker-credential-{name}"
    doing = f"asking {program} for the login of {registry}"
    remedy = f"Run `docker login {registry}`, or correct `credHelpers` and `credsStore` in Docker's config.json."
    try:
        child = subprocess.Popen(
            (program, "get"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise Failure(doing, f"it cannot be started: {error.strerror}", f"Install {program}. {remedy}") from error
    try:
        output, words = child.communicate((_DOCKER_HUB if registry == "docker.io" else registry).encode(), timeout=HELPER_SECONDS)
    except subprocess.TimeoutExpired as error:
        os.killpg(child.pid, 9)
        child.wait()
        raise Failure(doing, f"it has not answered within {HELPER_SECONDS:g} s", f"See what it waits for. {remedy}") from error
    if child.returncode:
        said = (output + words).decode(errors="replace").strip()
        if _MISSING in said:
            return None
        last = "\n".join(hide(said).splitlines()[-5:])
        raise Failure(doing, f"it exited {child.returncode}" + (f": {last}" if last else ", and said nothing"), remedy)
    try:
        given: Json = json.loads(output)
    except ValueError as error:
        raise Failure(doing, "what it gave is no JSON", remedy) from error
    user, secret = (given.get(key) for key in ("Username", "Secret")) if isinstance(given, dict) else (None, None)
    if not isinstance(user, str) or not isinstance(secret, str):
        raise Failure(doing, "what it gave has no Username and Secret", remedy)
    register(secret)
    if user == _IDENTITY:
        return Login(identity=Secret(secret))
    return Login(user, Secret(secret)) if user and secret else None
