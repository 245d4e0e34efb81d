"""Rules about what a pod may do: its account, its privileges."""

from collections.abc import Iterator

from ops.catalog import Image
from ops.manifests.reading import (
    PODS,
    Manifest,
    containers,
    items,
    mapping,
    namespace_of,
    owner,
    pod_spec,
    strings,
    text,
)
from ops.manifests.scene import RuleInput

CAPABILITIES_ALLOWED = {"NET_BIND_SERVICE"}  # by Pod Security "restricted"
LOGIN = "registry"  # the Secret with the login at the platform's own registry


def accounts(scene: RuleInput) -> Iterator[str]:
    """Every pod has a ServiceAccount of its own, and no token; those that run our images have the registry's login."""
    for thing in scene.of("ServiceAccount"):
        if thing.get("automountServiceAccountToken") is not False:
            yield scene.says(thing, "has no automountServiceAccountToken: false")
    for workload in scene.of(*PODS):
        pod, account = pod_spec(workload), text(pod_spec(workload), "serviceAccountName")
        if pod.get("automountServiceAccountToken") is not False:
            yield scene.says(workload, "has no automountServiceAccountToken: false")
        own = scene.find("ServiceAccount", namespace_of(workload), account)
        if not account or own is None:
            yield scene.says(workload, f"runs as ServiceAccount {account or 'default'}, which no manifest has")
        elif owner(own) != owner(workload):
            yield scene.says(workload, f"runs as ServiceAccount {account}, which is another's; its own is {owner(workload)}")
        elif isinstance(scene.runs.get(owner(workload)), Image) and LOGIN not in [text(s, "name") for s in items(own, "imagePullSecrets")]:
            yield f"k8s/components/registry/kustomization.yaml: ServiceAccount {account} has no imagePullSecrets with {LOGIN}"


def security(scene: RuleInput) -> Iterator[str]:
    """Pod Security "restricted", a read-only root file system, the stack's numeric user, and resources, for each container."""
    for workload in scene.of(*PODS):
        pod = pod_spec(workload)
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(name):
                yield scene.says(workload, f"uses {name}")
        for volume in items(pod, "volumes"):
            if "hostPath" in volume:
                yield scene.says(workload, f"mounts the node's {text(volume, 'hostPath', 'path')}")
        for container in containers(workload):
            for wrong in _insecure(mapping(pod, "securityContext"), container):
                yield scene.says(workload, f"{wrong} (container {text(container, 'name')})")
        image = scene.runs.get(owner(workload))
        user = mapping(pod, "securityContext").get("runAsUser")
        if isinstance(image, Image) and user != image.stack.user:
            yield scene.says(workload, f"runs as user {user}; platform.yaml says {image.stack.user} for the stack {image.stack.name}")


def _insecure(pod: Manifest, container: Manifest) -> Iterator[str]:
    own = mapping(container, "securityContext")
    both = {**pod, **own}
    if own.get("allowPrivilegeEscalation") is not False:
        yield "has no allowPrivilegeEscalation: false"
    if own.get("privileged"):
        yield "is privileged"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "has no readOnlyRootFilesystem: true"
    if both.get("runAsNonRoot") is not True:
        yield "has no runAsNonRoot: true"
    if not both.get("runAsUser"):
        yield "has no numeric runAsUser other than 0"
    if "ALL" not in strings(own, "capabilities", "drop"):
        yield "does not drop ALL capabilities"
    if added := set(strings(own, "capabilities", "add")) - CAPABILITIES_ALLOWED:
        yield f"adds the capabilities {', '.join(sorted(added))}"
    if text(both, "seccompProfile", "type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccompProfile RuntimeDefault"
    if missing := {"cpu", "memory"} - set(mapping(container, "resources", "requests")):
        yield f"requests no {' and no '.join(sorted(missing))}"
