"""Rules about what selects pods or names a workload: Services, PodDisruptionBudgets, spread constraints, autoscalers."""

from collections.abc import Iterator

from ops.catalog import Service, Store
from ops.manifests.reach import matches
from ops.manifests.reading import Manifest, items, mapping, name_of, namespace_of, owner, pod_labels, pod_spec, port_names, resolve, text
from ops.manifests.runs import scales
from ops.manifests.scene import RuleInput

LASTING = ("Deployment", "StatefulSet")


def selectors(scene: RuleInput) -> Iterator[str]:
    """A workload selects its own pods, and a Service those of one workload, on a port of theirs. A StatefulSet's Service is there."""
    for workload in scene.of(*LASTING):
        if not matches(mapping(workload, "spec", "selector"), pod_labels(workload)):
            yield scene.says(workload, "does not select its own pods: spec.selector and the template's labels differ")
        governing = text(workload, "spec", "serviceName")
        service = scene.find("Service", namespace_of(workload), governing)
        if workload.get("kind") == "StatefulSet" and (service is None or text(service, "spec", "clusterIP") != "None"):
            yield scene.says(workload, f"has the serviceName {governing or 'none'}, which is no Service with clusterIP: None here")
    for service in scene.of("Service"):
        found = _selected(scene, namespace_of(service), {"matchLabels": mapping(service, "spec", "selector")})
        if [owner(workload) for workload in found] != [owner(service)]:
            names = " and ".join(owner(workload) for workload in found) or "nobody"
            yield scene.says(service, f"selects the pods of {names}; its own are {owner(service)}'s")
            continue
        image = scene.runs.get(owner(service))
        if isinstance(image, Service | Store) and image.port not in [entry.get("port") for entry in items(service, "spec", "ports")]:
            yield scene.says(service, f"has no port {image.port}, which is {image.name}'s port in platform.yaml")
        for entry in items(service, "spec", "ports"):
            target = resolve(found[0], entry.get("targetPort", entry.get("port")))
            if target not in port_names(found[0]).values():
                yield scene.says(service, f"sends port {entry.get('port')} to a port that {owner(service)} does not have")


def budgets(scene: RuleInput) -> Iterator[str]:
    """Every service and store has a PodDisruptionBudget that selects its pods, and no other's."""
    covered = set()
    for budget in scene.of("PodDisruptionBudget"):
        found = [owner(w) for w in _selected(scene, namespace_of(budget), mapping(budget, "spec", "selector"))]
        covered |= set(found)
        if found != [owner(budget)]:
            yield scene.says(budget, f"selects the pods of {' and '.join(found) or 'nobody'}; its own are {owner(budget)}'s")
    for workload in scene.of(*LASTING):
        if owner(workload) not in covered:
            yield f"{scene.folder(owner(workload))}/derived.yaml: no PodDisruptionBudget selects the pods of {owner(workload)}"


def spread(scene: RuleInput) -> Iterator[str]:
    """The replicas of a service are spread over nodes, and what a constraint counts are the workload's own pods."""
    for workload in scene.of("Deployment"):
        constraints = items(pod_spec(workload), "topologySpreadConstraints")
        if "kubernetes.io/hostname" not in [text(constraint, "topologyKey") for constraint in constraints]:
            yield scene.says(workload, "has no topologySpreadConstraint over nodes (kubernetes.io/hostname)")
    for workload in scene.of(*LASTING):
        affinity = mapping(pod_spec(workload), "affinity", "podAntiAffinity")
        terms = [
            *items(pod_spec(workload), "topologySpreadConstraints"),
            *items(affinity, "requiredDuringSchedulingIgnoredDuringExecution"),
            *(mapping(term, "podAffinityTerm") for term in items(affinity, "preferredDuringSchedulingIgnoredDuringExecution")),
        ]
        for term in terms:
            selector = mapping(term, "labelSelector")
            if not selector or not matches(selector, pod_labels(workload)):
                yield scene.says(workload, f"is spread over {text(term, 'topologyKey')} by a selector that its own pods do not have")


def autoscalers(scene: RuleInput) -> Iterator[str]:
    """An autoscaler's target is there, and is the workload that bears its name; each has one."""
    for scaler in scene.of("HorizontalPodAutoscaler"):
        target = next((workload for workload in scene.of(*LASTING) if scales(scaler, workload)), None)
        named = text(scaler, "spec", "scaleTargetRef", "name")
        if target is None:
            yield scene.says(scaler, f"scales {text(scaler, 'spec', 'scaleTargetRef', 'kind')} {named}, which no manifest has")
        elif owner(target) != owner(scaler):
            yield scene.says(scaler, f"scales {name_of(target)}; its own is {owner(scaler)}")


def _selected(scene: RuleInput, place: str, selector: Manifest) -> list[Manifest]:
    """The workloads whose pods a selector selects in a namespace."""
    return [w for w in scene.of(*LASTING) if namespace_of(w) == place and matches(selector, pod_labels(w))]
