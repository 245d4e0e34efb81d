"""Rules about what runs: workloads, their images and namespaces, ports, probes and replicas."""

from collections.abc import Iterator, Mapping

from ops.catalog import Service, Store
from ops.manifests.reading import (
    PODS,
    Manifest,
    containers,
    items,
    lasting,
    main_container,
    mapping,
    name_of,
    namespace_of,
    owner,
    pod_labels,
    port_names,
    resolve,
    text,
)
from ops.manifests.scene import RuleInput


def workloads(scene: RuleInput) -> Iterator[str]:
    """Each service, job and store has one workload, in its namespace, from its image; and there is no other."""
    for name, image in scene.runs.items():
        workload = scene.workload(image)
        if workload is None:
            yield f"{scene.folder(name)}: {name} is in platform.yaml, and no workload of {scene.environment.name} runs it"
            continue
        if namespace_of(workload) != image.namespace:
            yield scene.says(workload, f"is in namespace {namespace_of(workload)}; platform.yaml says {image.namespace}")
        expected = image.image if isinstance(image, Store) else scene.catalog.repository(name)
        used = [text(c, "image") for c in containers(workload)]
        if not any(reference.partition("@")[0] == expected for reference in used):
            yield scene.says(workload, f"runs {', '.join(used)}; platform.yaml says {expected}")
    for workload in scene.of(*PODS):
        if owner(workload) not in scene.runs:
            yield scene.says(workload, "is no service, job or store of platform.yaml")


def images(scene: RuleInput) -> Iterator[str]:
    """Every image reference, wherever it stands, is a store's image, or one of ours without a tag."""
    ours = {scene.catalog.repository(name) for name in scene.catalog.images}
    stores = {store.image for store in scene.catalog.stores.values()}
    for thing in scene.objects:
        if thing.get("kind") in {"ConfigMap", "Secret"}:
            continue
        for reference in references(thing):
            name, _, digest = reference.partition("@")
            untagged = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
            if digest and not digest.startswith("sha256:"):
                yield scene.says(thing, f"names the image {reference}, whose digest is no sha256")
            elif name != untagged and untagged in ours:
                yield scene.says(thing, f"names a tag in {reference}; write {untagged}, the deploy puts the digest in")
            elif name not in ours | stores:
                yield scene.says(thing, f"names the image {reference}, which platform.yaml has neither as an image nor as a store")


def references(value: object) -> Iterator[str]:
    """Every image reference below a value: `image: REF`, and an image volume's `image: {reference: REF}`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "image" and isinstance(inner, str):
                yield inner
            elif key == "image" and isinstance(inner, Mapping) and "reference" in inner:
                yield str(inner["reference"])
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def namespaces(scene: RuleInput) -> Iterator[str]:
    """The catalogue's namespaces are there and enforce Pod Security "restricted"; every object is in one of them."""
    known = {name_of(o): o for o in scene.of("Namespace")}
    for name in scene.catalog.namespaces:
        if name not in known:
            yield f"k8s/base/derived/namespaces.yaml: Namespace {name} is missing"
    for name, thing in known.items():
        if name not in scene.catalog.namespaces:
            yield scene.says(thing, "is not in platform.yaml")
        label = "pod-security.kubernetes.io/enforce"
        if text(thing, "metadata", "labels", label) != "restricted":
            yield scene.says(thing, f"has no label {label}: restricted")
    for thing in scene.objects:
        place = text(thing, "metadata", "namespace")
        if place and place not in scene.catalog.namespaces:
            yield scene.says(thing, f"is in namespace {place}, which is not in platform.yaml")


def ports(scene: RuleInput) -> Iterator[str]:
    """Container, Service and catalogue agree on the port, and the Service selects the workload's pods."""
    for name, image in scene.runs.items():
        workload = scene.workload(image)
        if workload is None or not isinstance(image, Service | Store):
            continue
        if image.port not in port_names(workload).values():
            yield scene.says(workload, f"has no containerPort {image.port}, which is {name}'s port in platform.yaml")
        service = scene.find("Service", image.namespace, name)
        if service is None:
            yield f"{scene.folder(name)}/derived.yaml: Service {name} is missing in namespace {image.namespace}"
            continue
        entry = next((p for p in items(service, "spec", "ports") if p.get("port") == image.port), None)
        if entry is None:
            yield scene.says(service, f"has no port {image.port}, which is {name}'s port in platform.yaml")
        elif resolve(workload, entry.get("targetPort", image.port)) != image.port:
            yield scene.says(service, f"sends to targetPort {entry.get('targetPort')}, which is not the container's port {image.port}")
        selector, labels = mapping(service, "spec", "selector"), pod_labels(workload)
        if not selector or any(labels.get(key) != value for key, value in selector.items()):
            yield scene.says(service, f"selects no pod of {name}: {dict(selector)}")


def probes(scene: RuleInput) -> Iterator[str]:
    """Readiness asks the catalogue's `ready`, liveness and startup ask `health`, all on the service's port. And whatever goes on
    running says when it is ready, stores and sidecars too: else a deploy takes what dies for good."""
    for thing in scene.of("Deployment", "StatefulSet", "DaemonSet"):
        for container in lasting(thing):
            if not mapping(container, "readinessProbe"):
                yield scene.says(thing, f"has no readinessProbe (container {text(container, 'name')})")
    for service in scene.catalog.services.values():
        workload = scene.workload(service)
        if workload is None:
            continue
        main = main_container(workload, service.name)
        for probe, path in (("readinessProbe", service.ready), ("livenessProbe", service.health), ("startupProbe", service.health)):
            if not mapping(main, probe):
                if probe != "readinessProbe":
                    yield scene.says(workload, f"has no {probe}")
                continue
            asked = text(main, probe, "httpGet", "path")
            if asked != path:
                yield scene.says(workload, f"asks {asked or 'no path'} in its {probe}; platform.yaml says {path}")
            port = mapping(main, probe, "httpGet").get("port")
            if asked and resolve(workload, port) != service.port:
                yield scene.says(workload, f"asks port {port} in its {probe}; platform.yaml says {service.port}")


def replicas(scene: RuleInput) -> Iterator[str]:
    """The catalogue's replicas are the HPA's minimum; without an HPA they are the workload's own, never both."""
    overlay = f"{scene.environment.overlay}/kustomization.yaml"
    for service in scene.catalog.services.values():
        workload = scene.workload(service)
        if workload is None:
            continue
        wanted = service.replicas.get(scene.environment.name, 1)
        scaler = next((h for h in scene.of("HorizontalPodAutoscaler") if scales(h, workload)), None)
        own = mapping(workload, "spec").get("replicas")
        if scaler is None:
            if (1 if own is None else own) != wanted:
                yield f"{overlay}: {service.name} runs {own or 1} replicas; platform.yaml says {wanted}"
            continue
        if own is not None:
            yield scene.says(workload, f"sets replicas: {own}, which its HorizontalPodAutoscaler owns")
        least, most = mapping(scaler, "spec").get("minReplicas", 1), mapping(scaler, "spec").get("maxReplicas", 0)
        if least != wanted:
            yield f"{overlay}: HorizontalPodAutoscaler {name_of(scaler)} has minReplicas {least}; platform.yaml says {wanted}"
        if not (isinstance(least, int) and isinstance(most, int) and most >= least):
            yield f"{overlay}: HorizontalPodAutoscaler {name_of(scaler)} has maxReplicas {most}, less than minReplicas {least}"


def schedules(scene: RuleInput) -> Iterator[str]:
    """A job with a schedule runs at its times: what a patch changes of them is the catalogue's to say."""
    for job in scene.catalog.other_jobs.values():
        workload = scene.workload(job)
        if workload is None:
            continue
        if (workload.get("kind") == "CronJob") != bool(job.schedule):
            yield scene.says(workload, f"is wrong: by platform.yaml {job.name} has {'a' if job.schedule else 'no'} schedule")
            continue
        for key, wanted in (("schedule", job.schedule), ("timeZone", job.time_zone)) if job.schedule else ():
            if (found := text(workload, "spec", key)) != wanted:
                yield scene.says(workload, f"has the {key} {found or '(none)'}; platform.yaml says {wanted}")
        if mapping(workload, "spec").get("suspend"):
            yield scene.says(workload, "is suspended, and so never runs")


def scales(scaler: Manifest, workload: Manifest) -> bool:
    """Whether an autoscaler's target is this workload."""
    target = mapping(scaler, "spec", "scaleTargetRef")
    return (target.get("kind"), target.get("name")) == (workload.get("kind"), name_of(workload)) and namespace_of(scaler) == namespace_of(
        workload
    )
