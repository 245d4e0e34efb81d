"""What a request to the API server can end in, besides an answer: who failed, by what, and what to do next."""

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ops.documents import Json
from ops.errors import Failure
from ops.kube.cluster import ClusterAccess
from ops.kube.objects import Object, at, rows, table, text
from ops.retry import passes
from ops.secret import hide

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

NO_API_SERVER: Final = "Check that a Kubernetes API server answers at this address."
# What server-side apply says of an object that is not of its kind (apimachinery, managedfields): 500, and for ever.
_FINAL: Final = re.compile(r"failed to create (typed patch object|manager for)|failed to convert|cannot unmarshal|strict decoding error")
_SECRET_NAME: Final = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|DSN|_URL$|_URI$", re.IGNORECASE)


class ApiError(Failure):
    """The API server said no. `status` is the HTTP code, `body` its Status object, `message` its words without secrets.

    `sent` is what it refused: it may quote a value of that. `repeated`: an earlier try of the same may have been carried out.
    """

    repeated = False

    def __init__(self, status: int, body: Object, what: str, sent: Json = None) -> None:
        self.status = status
        self.body = body
        self.message = hide(text(body, "message"), public=what, also=_values(sent)) or f"HTTP {status}"
        remedy = "Check your rights in the cluster, and what the server says."
        if "system:anonymous" in self.message:
            remedy = "Your kubeconfig gives no credentials for this context: log in to the cluster, or name a user in the context."
        super().__init__(what, f"the API server refused: {self.message}", remedy)

    @property
    def passes(self) -> bool:
        """Whether the same request may be answered otherwise later. An object that cannot be read is a 500 to the API server."""
        return passes(self.status) and not _FINAL.search(self.message)

    @property
    def reason(self) -> str:
        """The machine-readable reason, such as `AlreadyExists`."""
        return text(self.body, "reason")

    @property
    def causes(self) -> list[Object]:
        """What each cause says: `reason`, `message`, `field`."""
        return rows(self.body, "details", "causes")


class Unavailable(Failure):
    """What may pass has not passed, however often it was tried: it says nothing about what was to be done."""


def unreachable(cluster: ClusterAccess, cause: str) -> Failure:
    """The error of a cluster that does not answer, or not in a way that can be trusted."""
    doing = f"connecting to context {cluster.context}"
    if re.search(r"CERTIFICATE|X509|PEM lib", cause):
        remedy = "Check the certificate authority and the client certificate of this context in your kubeconfig."
        return Failure(doing, f"{cluster.server}: not trusted: {cause}", remedy)
    remedy = "Check the cluster, your network and VPN; `invoke doctor` shows more."
    return Unavailable(doing, f"{cluster.server} does not answer: {cause}", remedy)


def behind(cluster: ClusterAccess, proxy: str, cause: str) -> Failure:
    """The error of a proxy that does not lead to the cluster."""
    cause = f"the proxy {proxy} does not lead to {cluster.server}: {cause}"
    remedy = "Check `proxy-url` in the kubeconfig, or HTTPS_PROXY and NO_PROXY in the environment."
    doing = f"connecting to context {cluster.context}"
    final = re.search(r"Tunnel connection failed: 4", cause)
    return Failure(doing, cause, remedy) if final else Unavailable(doing, cause, remedy)


def failing(cluster: ClusterAccess, what: str, error: ApiError) -> Failure:
    """The error of an API server, or of something before it, that answers with an error of its own."""
    if text(error.body, "kind") == "Status":
        why = "is overloaded" if error.status == 429 else "failed"
        cause = f"the API server {cluster.server} {why} ({error.status}): {error.message}"
        remedy = f"See how it is (`kubectl --context {cluster.context} get --raw /readyz?verbose`), then do the same again."
    else:
        cause = (
            f"{cluster.server} answered {error.status}, and not as an API server does: a proxy or a load balancer before it may have failed"
        )
        remedy = "Check what stands before the API server, then do the same again."
    return Unavailable(what, cause, remedy)


def status_of(response: "BaseHTTPResponse", what: str, sent: Json = None) -> ApiError:
    """The error that an answer is."""
    raw = response.data
    try:
        status: Json = json.loads(raw or b"{}")
    except ValueError:
        # Some page, and not a Status: its first words are enough.
        status = {"message": " ".join(raw[:400].decode(errors="replace").split())}
    return ApiError(response.status, status if isinstance(status, dict) else {}, what, sent)


def reason_of(error: BaseException) -> str:
    """The words of urllib3's nested errors, without the name of the object that speaks them."""
    words = str(getattr(error, "reason", None) or getattr(error, "original_error", None) or error)
    return re.sub(r"^(<\S+ object at 0x[0-9a-f]+>|\w+\(host=.*?, port=\d+\)): ", "", words)


def _values(sent: Json) -> list[str]:
    """The values of an object that are secret, or may be: all of a Secret, and of others what a variable of such a name has."""
    if not isinstance(sent, dict):
        return []
    if text(sent, "kind") == "Secret":
        return [leaf for name in ("data", "stringData") for leaf in _leaves(table(sent, name) or at(sent, name))]
    return [leaf for row in _rows_in(sent) if _SECRET_NAME.search(text(row, "name")) for leaf in _leaves(row["value"])]


def _leaves(value: Json) -> Iterable[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _leaves(inner)
    elif value is not None:
        import base64
        from contextlib import suppress

        yield str(value)
        with suppress(ValueError):
            yield base64.b64decode(str(value), validate=True).decode()


def _rows_in(value: Json) -> Iterable[Object]:
    """Every `{name: …, value: …}` in it."""
    if isinstance(value, dict):
        if "name" in value and "value" in value:
            yield value
        for inner in value.values():
            yield from _rows_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _rows_in(inner)
