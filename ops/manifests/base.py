"""The objects that follow from the catalogue: plain data, one function for each kind.

What differs between services stands in the catalogue; what is the same for all of them stands here.
"""

from typing import TypeAlias

from ops.catalog import Catalog, Image, Service, Store
from ops.config.local import secret_name
from ops.documents import Json
from ops.kube.objects import Object

Objects: TypeAlias = "list[Object]"

NAME = "app.kubernetes.io/name"
PLACE = "kubernetes.io/metadata.name"  # the label that each namespace has by itself
MANAGED = "app.kubernetes.io/managed-by"
PART_OF = "app.kubernetes.io/part-of"
REACHES = "reaches"  # the prefix of the labels that say what a pod may reach: reaches/postgres


def of_service(catalog: Catalog, service: Service) -> Objects:
    """All objects of a service."""
    return [
        account(service),
        deployment(catalog, service),
        address(service, service.name, "http"),
        autoscaler(service),
        budget(service),
    ]


def namespaces(catalog: Catalog) -> Objects:
    """The namespaces, which take no pod that Pod Security "restricted" would refuse."""
    security: Object = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    labels: Object = {**ours(catalog), **security}
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}} for name in catalog.namespaces]


def default_deny(catalog: Catalog) -> Objects:
    """For each namespace: no pod may talk to any other, but all may ask for names."""
    ports: list[Json] = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    names: Object = {"to": [_namespace("kube-system")], "ports": ports}
    spec: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [names]}
    return [
        {**head("networking.k8s.io/v1", "NetworkPolicy", "default-deny", name, ours(catalog)), "spec": spec} for name in catalog.namespaces
    ]


def ours(catalog: Catalog) -> Object:
    """The labels of every object of the platform."""
    return {PART_OF: catalog.platform, MANAGED: "invoke"}


def account(entry: Image | Store) -> Object:
    """A ServiceAccount without a token: nothing of the platform asks the API server."""
    return {**head("v1", "ServiceAccount", entry.name, entry.namespace), "automountServiceAccountToken": False}


def deployment(catalog: Catalog, service: Service) -> Object:
    """The Deployment of a service. It has no replicas: the HorizontalPodAutoscaler owns them."""
    pod: Object = {
        "serviceAccountName": service.name,
        "containers": [_container(catalog, service)],
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": [_spread(service, key) for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    spec: Object = {
        "revisionHistoryLimit": 5,
        "selector": pods(service.name),
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {"metadata": {"labels": {NAME: service.name, **reaches(service)}}, "spec": pod},
    }
    return {**head("apps/v1", "Deployment", service.name, service.namespace), "spec": spec}


def _container(catalog: Catalog, service: Service) -> Object:
    sources: list[Json] = [{"configMapRef": {"name": config_name(service.name)}}]
    if any(variable.secret for variable in catalog.variables_of(service.name)):
        sources.append({"secretRef": {"name": secret_name(service.name)}})
    return {
        "name": service.name,
        "image": catalog.repository(service.name),
        "ports": [{"name": "http", "containerPort": service.port, "protocol": "TCP"}],
        "envFrom": sources,
        "resources": {"requests": {**service.resources.requests}, "limits": {**service.resources.limits}},
        "startupProbe": _probe(service.health, period=1, timeout=3, failures=60),
        "readinessProbe": _probe(service.ready, period=5, timeout=5, failures=3),
        "livenessProbe": _probe(service.health, period=20, timeout=5, failures=3),
        # The endpoints forget the pod before it stops listening; no shell is needed for it.
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a volume of the pod's own
    }


def _probe(path: str, *, period: int, timeout: int, failures: int) -> Object:
    asked: Object = {"path": path, "port": "http"}
    return {"httpGet": asked, "periodSeconds": period, "timeoutSeconds": timeout, "failureThreshold": failures}


def _spread(service: Service, over: str) -> Object:
    return {
        "topologyKey": over,
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": pods(service.name),
        "matchLabelKeys": ["pod-template-hash"],
    }


def address(entry: Service | Store, name: str, port: str, more: Object | None = None) -> Object:
    """A Service: the name by which a service or store is reached, on the port that its pods call `port`."""
    ports: list[Json] = [{"name": port, "port": entry.port, "targetPort": port, "protocol": "TCP"}]
    kind: Object = more or {"type": "ClusterIP"}
    return {**head("v1", "Service", name, entry.namespace), "spec": {**kind, "selector": {NAME: entry.name}, "ports": ports}}


def autoscaler(service: Service) -> Object:
    """A HorizontalPodAutoscaler; an overlay puts in the environment's least number of replicas."""
    metrics: list[Json] = [
        {"type": "Resource", "resource": {"name": name, "target": {"type": "Utilization", "averageUtilization": percent}}}
        for name, percent in (("cpu", 70), ("memory", 80))
    ]
    target: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name}
    spec: Object = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": service.max_replicas, "metrics": metrics}
    return {**head("autoscaling/v2", "HorizontalPodAutoscaler", service.name, service.namespace), "spec": spec}


def budget(entry: Service | Store) -> Object:
    """A PodDisruptionBudget. One pod at a time: a drain goes on even where there is a single replica."""
    spec: Object = {"maxUnavailable": 1, "selector": pods(entry.name)}
    return {**head("policy/v1", "PodDisruptionBudget", entry.name, entry.namespace), "spec": spec}


def policies(catalog: Catalog) -> Objects:
    """NetworkPolicies: a pair for each service and store that somebody needs, and one for what only the ingress controller reaches.

    A pod reaches what its labels say. So who needs something else changes no policy, and the access of a pod is its version's own:
    while a rollout is under way, the old pods keep theirs and the new ones have theirs.
    """
    found: Objects = []
    targets: list[Service | Store] = [*catalog.services.values(), *catalog.stores.values()]
    for target in targets:
        askers = [image for image in catalog.images.values() if target.name in image.needs]
        peers: list[Json] = []
        if isinstance(target, Service) and target.ingress and catalog.ingress_controller:
            peers.append(_namespace(catalog.ingress_controller))
        if askers:
            peers.append(_senders(catalog, target))
        if peers:
            found.append(_way_in(catalog, target, peers))
        found += [_way_out(catalog, target, place) for place in dict.fromkeys(asker.namespace for asker in askers)]
    return found


def reaches(image: Image) -> Object:
    """The labels of a pod that say what it may reach."""
    return {f"{REACHES}/{need}": "true" for need in image.needs}


def _way_in(catalog: Catalog, target: Service | Store, peers: list[Json]) -> Object:
    spec: Object = {"podSelector": pods(target.name), "policyTypes": ["Ingress"], "ingress": [{"from": peers, "ports": [_port(target)]}]}
    return _policy(catalog, f"ingress-to-{target.name}", target, target.namespace, spec)


def _way_out(catalog: Catalog, target: Service | Store, place: str) -> Object:
    peer: Object = {**_namespace(target.namespace), "podSelector": pods(target.name)}
    rule: Object = {"to": [peer], "ports": [_port(target)]}
    spec: Object = {"podSelector": _reaching(target), "policyTypes": ["Egress"], "egress": [rule]}
    return _policy(catalog, f"egress-to-{target.name}", target, place, spec)


def _senders(catalog: Catalog, target: Service | Store) -> Object:
    """The pods of any namespace of the platform that have the target's label."""
    return {"namespaceSelector": {"matchLabels": {PART_OF: catalog.platform}}, "podSelector": _reaching(target)}


def _reaching(target: Service | Store) -> Object:
    return {"matchLabels": {f"{REACHES}/{target.name}": "true"}}


def _policy(catalog: Catalog, name: str, target: Service | Store, place: str, spec: Object) -> Object:
    return {**head("networking.k8s.io/v1", "NetworkPolicy", name, place, {NAME: target.name, **ours(catalog)}), "spec": spec}


def _namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {PLACE: name}}}


def _port(target: Service | Store) -> Json:
    return {"protocol": "TCP", "port": target.port}


def pods(name: str) -> Object:
    """What selects the pods of a service or store."""
    return {"matchLabels": {NAME: name}}


def head(version: str, kind: str, name: str, namespace: str, labels: Object | None = None) -> Object:
    """What every object begins with."""
    metadata: Object = {"name": name, "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": {**metadata, "labels": labels} if labels else metadata}


def config_name(service: str) -> str:
    """The ConfigMap that a service or job reads its other variables from."""
    return f"{service}-config"
