"""Rules about who reaches whom: NetworkPolicies, the Ingress, its certificate and its controller."""

from collections.abc import Iterator

from ops.catalog import Service
from ops.manifests.reading import (
    Manifest,
    items,
    mapping,
    name_of,
    namespace_of,
    pod_labels,
    text,
)
from ops.manifests.scene import CERT_MANAGER, POLICIES, RuleInput

# https://doc.traefik.io/traefik/v3.0/routing/providers/kubernetes-ingress
ROUTER_TLS = "traefik.ingress.kubernetes.io/router.tls"
# cert-manager answers Let's Encrypt from a pod of its own in the Ingress's namespace: https://cert-manager.io/docs/configuration/acme/http01/
SOLVER_LABELS = {"acme.cert-manager.io/http01-solver": "true"}
SOLVER_PORT = 8089


def policies(scene: RuleInput) -> Iterator[str]:
    """Every namespace denies by default."""
    for place in scene.catalog.namespaces:
        if not any(namespace_of(p) == place and not mapping(p, "spec", "podSelector") for p in scene.of("NetworkPolicy")):
            yield f"k8s/components/default-deny/derived.yaml: namespace {place} has no NetworkPolicy that denies by default"


def routes(scene: RuleInput) -> Iterator[str]:
    """The Ingress has the environment's two hosts, and sends to Services and ports that exist."""
    hosts = {host for host in (scene.environment.domain, scene.environment.api) if host}
    ingresses = list(scene.of("Ingress"))
    named = {text(rule, "host") for ingress in ingresses for rule in items(ingress, "spec", "rules")}
    for host in sorted(hosts ^ named):
        what = "no Ingress has the host" if host in hosts else "an Ingress has the unknown host"
        yield f"{scene.environment.overlay}/kustomization.yaml: {what} {host}"
    for ingress in ingresses:
        for rule in items(ingress, "spec", "rules"):
            for path in items(rule, "http", "paths"):
                backend = mapping(path, "backend", "service")
                service = scene.find("Service", namespace_of(ingress), text(backend, "name"))
                port = mapping(backend, "port")
                if not any(entry.items() & port.items() or entry.get("port") == port.get("number") for entry in _ports(service)):
                    yield scene.says(ingress, f"sends {text(rule, 'host')} to {text(backend, 'name')} {dict(port)}, which no Service has")


def certificates(scene: RuleInput) -> Iterator[str]:
    """The ClusterIssuer that an Ingress has its certificate from is there, and proves its hosts through the Ingress's class.

    Traefik answers HTTPS for an Ingress that says so by an annotation; spec.tls names its certificate only.
    """
    for ingress in scene.of("Ingress"):
        if items(ingress, "spec", "tls") and text(ingress, "metadata", "annotations", ROUTER_TLS) != "true":
            yield scene.says(ingress, f'has a certificate, and not the annotation {ROUTER_TLS}: "true", so Traefik answers no HTTPS')
        name = _issuer(ingress)
        issuer = next((i for i in scene.of("ClusterIssuer") if name_of(i) == name), None)
        if name and issuer is None:
            yield scene.says(ingress, f"has its certificate from ClusterIssuer {name}, which no manifest has")
        if issuer is not None:
            solvers = items(issuer, "spec", "acme", "solvers")
            classes = sorted({text(solver, "http01", "ingress", "ingressClassName") or "no class" for solver in solvers})
            wanted = text(ingress, "spec", "ingressClassName")
            if classes != [wanted]:
                yield scene.says(issuer, f"goes through {', '.join(classes) or 'no Ingress'}; Ingress {name_of(ingress)} is {wanted}'s")


def _issuer(ingress: Manifest) -> str:
    return text(ingress, "metadata", "annotations", "cert-manager.io/cluster-issuer")


def entrance(scene: RuleInput) -> Iterator[str]:
    """The ingress controller, in the one namespace where it is, reaches what an Ingress sends to, and cert-manager's solver."""
    controllers: set[str] = set()
    for ingress in scene.of("Ingress"):
        for name in _backends(ingress):
            image, place = scene.runs.get(name), namespace_of(ingress)
            workload = scene.workload(image) if isinstance(image, Service) else None
            if not isinstance(image, Service) or workload is None:
                continue
            if not (found := _strangers(scene, place, pod_labels(workload), image.port)):
                yield f"{POLICIES}: no NetworkPolicy lets the ingress controller to {name}, port {image.port}"
            controllers |= found
        if _issuer(ingress):
            if not (found := _strangers(scene, namespace_of(ingress), SOLVER_LABELS, SOLVER_PORT)):
                where = f"k8s/base/{CERT_MANAGER}/networkpolicy.yaml"
                yield f"{where}: no NetworkPolicy lets the ingress controller to cert-manager's solver, port {SOLVER_PORT}"
            controllers |= found
    if len(controllers) > 1:
        file = f"k8s/base/{CERT_MANAGER}/networkpolicy.yaml"
        yield f"{file}: the ingress controller is in several namespaces: {', '.join(sorted(controllers))}"


def _backends(ingress: Manifest) -> list[str]:
    paths = [path for rule in items(ingress, "spec", "rules") for path in items(rule, "http", "paths")]
    return list(dict.fromkeys(text(path, "backend", "service", "name") for path in paths))


def _strangers(scene: RuleInput, place: str, labels: Manifest, port: int) -> set[str]:
    """The namespaces other than the platform's that reach a port of the pods with these labels."""
    policies = [p for p in scene.of("NetworkPolicy") if namespace_of(p) == place and _selects(mapping(p, "spec", "podSelector"), labels)]
    rules = [rule for policy in policies for rule in items(policy, "spec", "ingress")]
    peers = [p for rule in rules if any(e.get("port") == port for e in items(rule, "ports")) for p in items(rule, "from")]
    names = {text(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") for peer in peers}
    return names - {"", *scene.catalog.namespaces}


def _selects(selector: Manifest, labels: Manifest) -> bool:
    wanted = mapping(selector, "matchLabels")
    return set(selector) == {"matchLabels"} and all(labels.get(key) == value for key, value in wanted.items())


def _ports(service: Manifest | None) -> list[dict[str, object]]:
    return [{"name": entry.get("name"), "port": entry.get("port")} for entry in items(service, "spec", "ports")]
