"""The kinds that a cluster knows, and how each is addressed in its API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from ops.kube.errors import ApiError, Unavailable
from ops.kube.objects import Object, rows, text, texts

# Aggregated discovery (beta in Kubernetes 1.27, GA in 1.30): all kinds of a cluster in two answers.
DISCOVERY: Final = ",".join(f"application/json;g=apidiscovery.k8s.io;v={v};as=APIGroupDiscoveryList" for v in ("v2", "v2beta1"))
_PLAIN: Final = "application/json"

Ask = Callable[[str, str], Object]  # the answer to GET, by its path and the form that is asked for


@dataclass(frozen=True, slots=True)
class Resource:
    """How a kind is addressed."""

    api_version: str
    plural: str
    namespaced: bool
    kind: str

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The resource's path in the API."""
        parts = ["/apis" if "/" in self.api_version else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace)]
        parts.append(self.plural)
        parts += [quote(p, safe=":") for p in (name, subresource) if p]
        return "/".join(parts)


def kinds(ask: Ask) -> dict[tuple[str, str], Resource]:
    """Every kind of a cluster, by API version and name; of a group's versions that which the cluster prefers comes first.

    Raises what `ask` raises, but not for a server behind the API server that is gone: its kinds are not known then.
    """
    found: dict[tuple[str, str], Resource] = {}
    for answer in [ask(path, f"{DISCOVERY},{_PLAIN}") for path in ("/api", "/apis")]:
        listed = _aggregated(answer) if text(answer, "kind") == "APIGroupDiscoveryList" else _one_by_one(ask, answer)
        found |= {(resource.api_version, resource.kind): resource for resource in listed}
    return found


def _aggregated(answer: Object) -> Iterator[Resource]:
    for group in rows(answer, "items"):
        name = text(group, "metadata", "name")
        for version in rows(group, "versions"):
            api_version = f"{name}/{text(version, 'version')}" if name else text(version, "version")
            for row in rows(version, "resources"):
                kind, namespaced = text(row, "responseKind", "kind"), text(row, "scope") == "Namespaced"
                yield Resource(api_version, text(row, "resource"), namespaced, kind)


def _one_by_one(ask: Ask, answer: Object) -> Iterator[Resource]:
    """The kinds of a server, or of one behind it, that lists each version of each group by itself."""
    versions = texts(answer, "versions")  # of the core, which has no group
    for group in rows(answer, "groups"):
        preferred = text(group, "preferredVersion", "groupVersion")
        all_ = [text(version, "groupVersion") for version in rows(group, "versions")]
        versions += sorted(all_, key=lambda version: version != preferred)
    for version in versions:
        try:
            listed = ask(f"{'/apis' if '/' in version else '/api'}/{version}", _PLAIN)
        except (ApiError, Unavailable):  # a server behind this one may be gone: its kinds are not known then
            if version == "v1":
                raise
            continue
        for row in rows(listed, "resources"):
            if "/" not in text(row, "name"):  # else a subresource
                yield Resource(version, text(row, "name"), row.get("namespaced") is True, text(row, "kind"))
