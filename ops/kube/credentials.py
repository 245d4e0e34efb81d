"""Who we are to a cluster: what the kubeconfig's user says, or the program that it names under `exec`.

Such a program is run as kubectl runs it (client-go, plugin/pkg/client/auth/exec): once, again when what it gave has expired, and when the
server does not take it any more.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeAlias

from ops.background import begin
from ops.documents import Json
from ops.errors import Failure, cause_of
from ops.kube.kubeconfig import Context, bytes_of
from ops.kube.objects import Object, at, rows, table, text, texts
from ops.secret import Secret, register

CREDENTIALS_SECONDS = 15.0  # for a program of the kubeconfig that gets credentials
LOGIN_SECONDS = 300.0  # for one that asks a person to log in
_AT_LEAST: Final = 10.0  # seconds for which credentials are shown, unless the server does not take them
_WORDS: Final = 10  # lines of a program that are told
_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_LOG_IN: Final = "Log in to the cluster again, or repair the kubeconfig."

Headers: TypeAlias = "list[tuple[str, str]]"


class PluginFailed(Failure):
    """The program that gets the credentials gave none."""


class Late(PluginFailed):
    """It has not ended in time."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What shows who we are: a header, a client certificate, or nothing. `expires` None: until the server says otherwise."""

    authorization: Secret | None = None
    certificate: bytes | None = None
    key: Secret | None = None
    expires: datetime | None = None

    def fresh(self) -> bool:
        """Whether it may still be shown."""
        return self.expires is None or datetime.now(UTC) < self.expires


@dataclass(slots=True)
class Source:
    """Gives the credentials of a context, as often as they are asked for. Safe for threads."""

    context: Context
    _get: Callable[[], Credentials]
    renewable: bool
    _found: Credentials | None = None
    _since: float = 0.0
    _running: "Future[Credentials] | None" = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> "Future[Credentials]":
        """Begin to get them, or join whoever has begun."""
        with self._lock:
            if self._running is None:
                self._running = begin(self._get)
            return self._running

    def get(self, seconds: float, *, not_this: Credentials | None = None) -> Credentials:
        """The credentials, other than `not_this`, which the server does not take. Raises `PluginFailed`."""
        found = self._found
        # What has expired when it is given (the clocks may differ) is shown all the same: the program is not run for each request.
        if found is not None and found is not not_this and (found.fresh() or time.monotonic() - self._since < _AT_LEAST):
            return found
        running = self.start()
        try:
            found = running.result(timeout=seconds)
        except TimeoutError as error:
            raise late(self.context, seconds) from error
        finally:
            with self._lock:
                if running.done() and self._running is running:
                    self._running = None
        if found is not self._found:
            self._found, self._since = found, time.monotonic()
        return found

    @property
    def given(self) -> bool:
        """Whether it has given any."""
        return self._found is not None

    def headers(self, found: Credentials) -> Headers:
        """What a request with these credentials carries."""
        login = [("Authorization", found.authorization.reveal())] if found.authorization else []
        return login + _impersonation(self.context.user.values)


def late(context: Context, seconds: float) -> Late:
    """The program that gets the credentials takes too long."""
    return Late(
        f"asking for the credentials of context {context.name}",
        f"the program that its user names under `exec` has not ended within {seconds:g} s",
        f"Log in first: `kubectl --context {context.name} version` runs the same program.",
    )


def source(context: Context) -> Source:
    """Where a context's credentials come from. Raises `Failure` for a user that is not as a kubeconfig has them."""
    user = context.user.values
    if at(user, "exec") is not None:
        return Source(context, lambda: _run(context), renewable=True)
    if context.user.path("tokenFile"):
        return Source(context, lambda: _fixed(context), renewable=True)
    fixed = _fixed(context)
    return Source(context, lambda: fixed, renewable=False)


def _fixed(context: Context) -> Credentials:
    """What the kubeconfig itself says, in the order in which kubectl looks."""
    user, doing = context.user.values, f"reading context {context.name}"
    certificate, key = (bytes_of(context.user, name, doing) for name in ("client-certificate", "client-key"))
    if bool(certificate) != bool(key):
        raise Failure(doing, "its user has a client certificate or a key, and not both", "Repair the kubeconfig.")
    shown = Credentials(certificate=certificate, key=Secret(key.decode(errors="replace")) if key else None)
    file = context.user.path("tokenFile")
    if file:
        try:
            token = file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(doing, f"its token's file: {cause_of(error)}", _LOG_IN) from error
        # The kubelet and others write a new one into it before the old one expires.
        expires = datetime.fromtimestamp(datetime.now(UTC).timestamp() + 60, UTC)
        return Credentials(_bearer(context, token), shown.certificate, shown.key, expires)
    if token := text(user, "token"):
        return Credentials(_bearer(context, token), shown.certificate, shown.key)
    if at(user, "auth-provider") is not None:
        return _provided(context)
    if name := text(user, "username"):
        import base64

        password = text(user, "password")
        register(password)
        return Credentials(Secret("Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()))
    return shown


def _bearer(context: Context, token: str) -> Secret:
    """A token as a header carries it: without the line end of its file."""
    words = token.strip()
    if not (words.isascii() and words.isprintable()):
        cause = "its token has a line end in it, or a letter outside ASCII"
        raise Failure(f"reading context {context.name}", cause, _LOG_IN)
    register(words)
    return Secret(f"Bearer {words}")


def _provided(context: Context) -> Credentials:
    """A user of the old kind `auth-provider: oidc`: its token is taken while it holds, and then renewed."""
    import base64

    provider = table(context.user.values, "auth-provider")
    token = text(provider, "config", "id-token")
    if text(provider, "name") != "oidc":
        cause = f"its user names the auth-provider {text(provider, 'name')}, which kubectl gave up in 1.26"
        raise Failure(f"reading context {context.name}", cause, "Name the provider's own program under `exec` instead.")
    try:
        middle = token.split(".")[1]
        claims: Json = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        expires = at(claims, "exp")
    except (ValueError, IndexError):
        expires = None
    if not isinstance(expires, int | float) or expires < datetime.now(UTC).timestamp():
        token = _renewed(context, provider)
    return Credentials(_bearer(context, token))


def _renewed(context: Context, provider: Object) -> str:
    """A new id-token, by the `kubernetes` package: it is written back into the kubeconfig, since the issuer may take the old one no more.

    Without a certificate authority the package would trust whoever answers, so kubectl is left to do it then.
    """
    doing, why = f"renewing the id-token of context {context.name}", "the id-token of its auth-provider is missing, or has expired"
    remedy = f"Run `kubectl --context {context.name} version`, which renews it, then the same again."
    config = table(provider, "config")
    register(*(text(config, name) for name in ("refresh-token", "client-secret", "id-token")))
    if not any(text(config, f"idp-certificate-authority{form}") for form in ("", "-data")) or not text(config, "refresh-token"):
        raise Failure(doing, why, remedy)
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config

    found = Configuration()
    try:
        load_kube_config(os.pathsep.join(str(file) for file in context.files), context.name, found)
    except Exception as error:  # of many kinds: its own, oauthlib's, requests', urllib3's
        raise Failure(doing, f"{why}, and its issuer gave no other: {cause_of(error)}", remedy) from error
    token: str = found.api_key.get("BearerToken", "").removeprefix("Bearer ")
    if not token or token == text(config, "id-token"):
        raise Failure(doing, f"{why}, and its issuer gave no other", remedy)
    return token


def _impersonation(user: Object) -> Headers:
    """As whom the user acts (`as`, `as-groups`, …), where the kubeconfig says so."""
    from urllib.parse import quote

    found = [("Impersonate-User", text(user, "as"))] if text(user, "as") else []
    found += [("Impersonate-Uid", text(user, "as-uid"))] if text(user, "as-uid") else []
    found += [("Impersonate-Group", group) for group in texts(user, "as-groups")]
    extra = table(user, "as-user-extra")
    return found + [(f"Impersonate-Extra-{quote(key, safe='')}", value) for key in extra for value in texts(extra, key)]


def interactive(context: Context) -> bool:
    """Whether the program may ask a person."""
    there = bool(sys.stdin and sys.stdin.isatty() and sys.stderr and sys.stderr.isatty())
    return there and text(context.user.values, "exec", "interactiveMode") != "Never"


def _run(context: Context) -> Credentials:
    plugin = table(context.user.values, "exec")
    asks = interactive(context)
    if text(plugin, "interactiveMode") == "Always" and not asks:
        remedy = f"Run it where a person can answer, or log in first: `kubectl --context {context.name} version`."
        raise _failed(context, "it always asks a person, and there is no terminal", remedy)
    version = text(plugin, "apiVersion")
    if version not in _VERSIONS:
        raise _failed(context, f"its apiVersion is {version or 'missing'}, and kubectl knows {' and '.join(_VERSIONS)}", "Correct it.")
    code, output, words = _output(context, plugin, asks)
    if code:
        cause = "\n".join([f"it exited {code}" + (", and said:" if words else ", and said nothing"), *words])
        raise _failed(context, cause, "Do what it says, or log in to the cluster again.")
    return _given(context, version, output)


def _output(context: Context, plugin: Object, asks: bool) -> tuple[int, bytes, list[str]]:
    """Run the program to its end: exit code, what it gave, the last lines that it said to people."""
    limit = LOGIN_SECONDS if asks else CREDENTIALS_SECONDS
    try:
        child = subprocess.Popen(
            (_program(context, plugin), *texts(plugin, "args")),
            env=_environment(context, plugin, asks),
            stdin=None if asks else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=not asks,  # so that with it all that it started can be ended
        )
    except OSError as error:
        hint = text(plugin, "installHint").strip()
        remedy = hint or "Install or repair the program that the context's user names under `exec`, and log in to the cluster."
        raise _failed(context, f"it cannot be started: {error.strerror}", remedy) from error
    given: list[bytes] = []
    said: list[str] = []
    readers = [
        threading.Thread(target=_keep, args=(child, given), daemon=True),
        threading.Thread(target=_hear, args=(child, said, asks), daemon=True),
    ]
    for reader in readers:
        reader.start()
    try:
        code = child.wait(timeout=limit)
    except subprocess.TimeoutExpired as error:
        _end(child, group=not asks)
        raise late(context, limit) from error
    for reader in readers:
        reader.join(timeout=0.3)  # what it has left behind may hold the pipes open
    return code, b"".join(given), said[-_WORDS:]


def _keep(child: "subprocess.Popen[bytes]", given: list[bytes]) -> None:
    assert child.stdout is not None
    while chunk := os.read(child.stdout.fileno(), 65536):
        given.append(chunk)


def _hear(child: "subprocess.Popen[bytes]", said: list[str], asks: bool) -> None:
    """What it says to people: shown at once to one who is there, and kept for the case that it fails."""
    assert child.stderr is not None
    rest = b""
    while chunk := os.read(child.stderr.fileno(), 4096):
        if asks:
            sys.stderr.write(chunk.decode(errors="replace"))
            sys.stderr.flush()
        *whole, rest = (rest + chunk).split(b"\n")
        said += [line.decode(errors="replace").rstrip() for line in whole if line.strip()]
    if rest.strip():
        said.append(rest.decode(errors="replace").rstrip())


def _end(child: "subprocess.Popen[bytes]", *, group: bool) -> None:
    import signal
    from contextlib import suppress

    with suppress(OSError):
        if group:
            os.killpg(child.pid, signal.SIGKILL)
        child.kill()
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=1.0)


def _program(context: Context, plugin: Object) -> str:
    """The program's path: one with a slash in it begins at the kubeconfig's folder, one without is on PATH."""
    command = text(plugin, "command")
    return str(context.user.folder / command) if os.sep in command and not Path(command).is_absolute() else command


def _environment(context: Context, plugin: Object, asks: bool) -> dict[str, str]:
    spec: Object = {"interactive": asks}
    if at(plugin, "provideClusterInfo") is True:
        cluster = context.cluster.values
        authority = bytes_of(context.cluster, "certificate-authority", f"reading context {context.name}")
        told: Object = {name: cluster[name] for name in ("insecure-skip-tls-verify", "proxy-url", "tls-server-name") if name in cluster}
        extension = next(
            (at(e, "extension") for e in rows(cluster, "extensions") if text(e, "name") == "client.authentication.k8s.io/exec"), None
        )
        import base64

        data: Object = {"certificate-authority-data": base64.b64encode(authority).decode()} if authority else {}
        spec["cluster"] = {"server": context.server, **told, **data, **({"config": extension} if extension is not None else {})}
    info = {"kind": "ExecCredential", "apiVersion": text(plugin, "apiVersion"), "spec": spec}
    own = {text(row, "name"): text(row, "value") for row in rows(plugin, "env")}
    return {**os.environ, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)}


def _given(context: Context, version: str, output: bytes) -> Credentials:
    """What the program gave. Its output is never told: it may hold a token."""
    repair = "Update that program, or correct `exec` in the kubeconfig."
    try:
        document: Json = json.loads(output)
    except (ValueError, UnicodeDecodeError) as error:
        raise _failed(context, "what it wrote is no ExecCredential in JSON", repair) from error
    if text(document, "kind") != "ExecCredential" or text(document, "apiVersion") != version:
        gave = f"{text(document, 'apiVersion') or 'no'} {text(document, 'kind') or 'document'}"
        raise _failed(context, f"it gave a {gave}, and the kubeconfig says {version} ExecCredential", repair)
    status = table(document, "status")
    token, certificate, key = text(status, "token"), text(status, "clientCertificateData"), text(status, "clientKeyData")
    if not token and not (certificate and key):
        raise _failed(context, "it gave neither a token nor a client certificate with its key", repair)
    expires = text(status, "expirationTimestamp")
    try:
        until = datetime.fromisoformat(expires.replace("Z", "+00:00")) if expires else None
    except ValueError as error:
        raise _failed(context, "its expirationTimestamp is no time", repair) from error
    return Credentials(
        _bearer(context, token) if token else None,
        certificate.encode() if certificate and key else None,
        Secret(key) if certificate and key else None,
        until if until is None or until.tzinfo else until.replace(tzinfo=UTC),
    )


def _failed(context: Context, cause: str, remedy: str) -> PluginFailed:
    command = text(context.user.values, "exec", "command")
    return PluginFailed(
        f"asking for the credentials of context {context.name}", f"its program {command} (`exec` in the kubeconfig): {cause}", remedy
    )
