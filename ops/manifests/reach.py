"""Rules about who reaches whom, as Kubernetes decides it: NetworkPolicies on both ends, and the addresses that a program is given.

A connection needs its sender's egress and its target's ingress. Where policies of a direction select a pod, one of their rules must allow
it; where none does, all is allowed (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ops.catalog import Image, Service, Store, url_variable
from ops.manifests.contract import Given, given
from ops.manifests.reading import Manifest, at, items, mapping, name_of, namespace_of, pod_labels, resolve, strings, text
from ops.manifests.scene import POLICIES, RuleInput

PLACE = "kubernetes.io/metadata.name"  # the label that each namespace has by itself
NAMESERVER = ("kube-system", {"k8s-app": "kube-dns"})  # CoreDNS, in every distribution
STRANGER = ("somewhere-else", {"who": "somebody"})


@dataclass(frozen=True, slots=True)
class Port:
    """The port of a target."""

    number: int
    protocol: str = "TCP"


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection: a workload's pods, or pods that are not the platform's."""

    name: str
    place: str
    labels: Manifest
    workload: Manifest | None = None


def reach(scene: RuleInput) -> Iterator[str]:
    """Everybody reaches what it needs by the catalogue, from both ends, on its port; nobody reaches anything else."""
    ends = {name: _end(name, workload) for name, image in scene.runs.items() if (workload := scene.workload(image))}
    listens = {name: Port(image.port) for name, image in scene.runs.items() if isinstance(image, Service | Store) and name in ends}
    for name, end in ends.items():
        image = scene.runs[name]
        needs = image.needs if isinstance(image, Image) else ()
        for target, port in listens.items():
            if target != name:
                yield from _pair(scene, end, ends[target], port, needed=target in needs)
        for port in dict.fromkeys(listens.values()):
            if _restricted(scene, end) and _allows(scene, "egress", (end, End("", *STRANGER)), port):
                yield f"{POLICIES}: a NetworkPolicy lets {name} send to everybody in the cluster, port {port.number}"
    for name, port in listens.items():
        if _allows(scene, "ingress", (ends[name], End("", *STRANGER)), port):
            yield f"{POLICIES}: a NetworkPolicy lets everybody in the cluster reach {name}, port {port.number}"


def names(scene: RuleInput) -> Iterator[str]:
    """Every pod of the platform can ask for names, those that come with no policy of their own too."""
    file = "k8s/components/default-deny/derived.yaml"
    for place in scene.catalog.namespaces:
        for port in (Port(53, "UDP"), Port(53, "TCP")):
            if not _allows(scene, "egress", (End("", place, {}), End("", *NAMESERVER)), port):
                yield f"{file}: no pod in {place} can ask for names: {port.protocol} port 53 of {NAMESERVER[0]}"


def _pair(scene: RuleInput, sender: End, target: End, port: Port, *, needed: bool) -> Iterator[str]:
    sends = _allows(scene, "egress", (sender, target), port)
    lets_in = _allows(scene, "ingress", (target, sender), port)
    file, name = f"{POLICIES}: ", target.name
    if needed and not sends:
        label = f"or its pods lack the label reaches/{name}"
        yield file + f"no NetworkPolicy lets {sender.name} send to {name}, port {port.number}, which it needs by platform.yaml, {label}"
    if needed and not lets_in:
        yield file + f"no NetworkPolicy of {name} lets in {sender.name}, which needs {name}, port {port.number}, by platform.yaml"
    if not needed and sends and _restricted(scene, sender):
        yield file + f"a NetworkPolicy lets {sender.name} send to {name}, port {port.number}, which it does not need by platform.yaml"
    if not needed and lets_in:
        yield file + f"a NetworkPolicy of {name} lets in {sender.name}, which does not need {name} by platform.yaml"


def restricted(scene: RuleInput) -> Iterator[str]:
    """What everybody may send is bounded by a policy."""
    for name, image in scene.runs.items():
        workload = scene.workload(image)
        if workload and not _restricted(scene, _end(name, workload)):
            yield f"k8s/components/default-deny/derived.yaml: no NetworkPolicy bounds what {name} sends"


def _end(name: str, workload: Manifest) -> End:
    return End(name, namespace_of(workload), pod_labels(workload), workload)


def _policies(scene: RuleInput, direction: str, end: End) -> list[Manifest]:
    """The policies of a direction that select these pods. Without policyTypes one is for ingress, and for egress where it has rules."""
    found = []
    for policy in scene.of("NetworkPolicy"):
        types = strings(policy, "spec", "policyTypes") or ["Ingress", *(["Egress"] if items(policy, "spec", "egress") else [])]
        if (
            direction.capitalize() in types
            and namespace_of(policy) == end.place
            and matches(mapping(policy, "spec", "podSelector"), end.labels)
        ):
            found.append(policy)
    return found


def _restricted(scene: RuleInput, end: End) -> bool:
    """Whether a policy bounds what it sends."""
    return bool(_policies(scene, "egress", end))


def _allows(scene: RuleInput, direction: str, ends: tuple[End, End], port: Port) -> bool:
    """Whether the policies of the first of two ends allow a connection with the second; `port` is the target's."""
    end, other = ends
    policies = _policies(scene, direction, end)
    if not policies:
        return True
    peers = "from" if direction == "ingress" else "to"
    target = end if direction == "ingress" else other
    rules = [rule for policy in policies for rule in items(policy, "spec", direction)]
    return any(
        (not at(rule, peers) or any(_is_peer(scene, peer, end, other) for peer in items(rule, peers)))
        and (not at(rule, "ports") or any(_has_port(entry, target, port) for entry in items(rule, "ports")))
        for rule in rules
    )


def _is_peer(scene: RuleInput, peer: Manifest, end: End, other: End) -> bool:
    if "ipBlock" in peer:
        return False  # addresses of pods are nothing to count on
    place = next((n for n in scene.of("Namespace") if name_of(n) == other.place), None)
    labels = {**mapping(place, "metadata", "labels"), PLACE: other.place}
    inside = matches(mapping(peer, "namespaceSelector"), labels) if "namespaceSelector" in peer else other.place == end.place
    return inside and ("podSelector" not in peer or matches(mapping(peer, "podSelector"), other.labels))


def _has_port(entry: Manifest, target: End, port: Port) -> bool:
    if text(entry, "protocol") not in ("", port.protocol):
        return False
    first, last = entry.get("port"), entry.get("endPort")
    if first is None:
        return True
    number = first if isinstance(first, int) else resolve(target.workload, first) if target.workload else 0
    return number == port.number or (isinstance(last, int) and number <= port.number <= last)


def matches(selector: Manifest, labels: Manifest) -> bool:
    """Whether a label selector selects what has these labels; an empty one selects everything."""
    for key, value in mapping(selector, "matchLabels").items():
        if labels.get(key) != value:
            return False
    for term in items(selector, "matchExpressions"):
        key, operator, values = text(term, "key"), text(term, "operator"), strings(term, "values")
        there = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not there.get(operator, False):
            return False
    return True


def addresses(scene: RuleInput) -> Iterator[str]:
    """An address inside the cluster leads to a Service, on its port, that the reader needs. What is needed has an address."""
    for name, image in scene.catalog.images.items():
        workload = scene.workload(image)
        if workload is None:
            continue
        values = {entry.name: entry for entry in given(scene, workload, name) if entry.value}
        for entry in values.values():
            yield from _address(scene, image, entry, values)
        variables = {variable.name for variable in scene.catalog.variables_of(name)}
        for need in image.needs:
            if need in scene.catalog.services and url_variable(need) not in variables:
                yield f"platform.yaml: {name} needs {need}, and reads no {url_variable(need)}"


def _address(scene: RuleInput, image: Image, entry: Given, values: dict[str, Given]) -> Iterator[str]:
    value = entry.value or ""
    host, port = _host_of(value)
    service, place = _inside(scene, image, host)
    if not service:
        return
    said = f"gives {image.name} {entry.name}={value}: "
    expected = next((n for n in scene.runs if entry.name in (url_variable(n), url_variable(n).removesuffix("_URL") + "_HOST")), service)
    found = scene.find("Service", place, service)
    target = scene.runs.get(service)
    sibling = values.get(entry.name.removesuffix("_HOST") + "_PORT") if entry.name.endswith("_HOST") else None
    if sibling and sibling.value and sibling.value.isdecimal():
        port = int(sibling.value)
    if found is None or not isinstance(target, Service | Store) or target.namespace != place:
        yield scene.says(entry.source, said + f"no Service {service} is in namespace {place}")
    elif service != expected:
        yield scene.says(entry.source, said + f"that is {service}, not {expected}")
    elif service not in image.needs:
        yield scene.says(entry.source, said + f"by platform.yaml {image.name} does not need {service}")
    elif port is not None and port not in [p.get("port") for p in items(found, "spec", "ports")]:
        yield scene.says(entry.source, said + f"Service {service} has no port {port}")


def _host_of(value: str) -> tuple[str, int | None]:
    """The host and the port of a value that is an address, `scheme://host:port/…` or `host:port` or `host`; ("", None) of another."""
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        usual = {"http": 80, "https": 443}.get(parts.scheme)
        return (parts.hostname or "").rstrip("."), parts.port or usual
    except ValueError:
        return "", None


def _inside(scene: RuleInput, image: Image, host: str) -> tuple[str, str]:
    """The Service and the namespace that a host means inside the cluster: NAME, NAME.NAMESPACE, NAME.NAMESPACE.svc…; ("", "") elsewhere.

    A misspelt half is still taken for one of ours where the other half is.
    """
    name, _, rest = host.partition(".")
    place, _, more = rest.partition(".")
    if more and more != "svc" and not more.startswith("svc."):
        return "", ""
    known = name in scene.catalog.services or name in scene.catalog.stores
    if not (place in scene.catalog.namespaces or known):
        return "", ""
    return name, place or image.namespace
