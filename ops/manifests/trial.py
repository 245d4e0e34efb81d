"""The rule about the scratch server beside the database's migrations (ops/config/sidecar.py)."""

from collections.abc import Iterator

from ops.config import sidecar
from ops.config.sidecar import VARIABLE
from ops.manifests.reading import Manifest, items, main_container, mapping, pod_spec, strings, text
from ops.manifests.scene import RuleInput


def trial(scene: RuleInput) -> Iterator[str]:
    """The migration Job has a scratch server beside it, from the store's own image and therefore of its version, and tries files there."""
    job = scene.runs.get(scene.catalog.database.job)
    workload = scene.workload(job) if job else None
    if job is None or workload is None:
        return
    beside = next((c for c in items(pod_spec(workload), "initContainers") if text(c, "name") == sidecar.NAME), None)
    if beside is None:
        yield scene.says(workload, f"has no init container {sidecar.NAME}: its migrations would be judged by their text alone")
        return
    for wrong in _unlike(scene, workload, beside):
        yield scene.says(workload, f"{wrong} (container {sidecar.NAME})")
    given = [text(e, "value") for e in items(main_container(workload, job.name), "env") if text(e, "name") == VARIABLE]
    if given != [sidecar.URL]:
        yield scene.says(workload, f"does not give {job.name} {VARIABLE}={sidecar.URL}")


def _unlike(scene: RuleInput, workload: Manifest, beside: Manifest) -> Iterator[str]:
    image = scene.catalog.stores[scene.catalog.database.store].image
    if text(beside, "restartPolicy") != "Always":
        yield "has no restartPolicy: Always, and so ends before the migrations begin"
    if text(beside, "image").partition("@")[0] != image:
        yield f"runs {text(beside, 'image')}; the environment's database runs {image}"
    if tuple(strings(beside, "command")) != sidecar.COMMAND:
        yield "has another command than ops/config/sidecar.py"
    if tuple(strings(beside, "startupProbe", "exec", "command")) != sidecar.READY:
        yield f"has no startupProbe that runs {' '.join(sidecar.READY)}: the migrations would not wait for it"
    if items(beside, "env") or items(beside, "envFrom"):
        yield "is given variables: it needs none, and no secret may be where migrations are tried"
    if items(beside, "ports"):
        yield "has ports: it answers nobody outside its pod"
    volume = next((text(m, "name") for m in items(beside, "volumeMounts") if text(m, "mountPath") == sidecar.HOME), "")
    kept = next((v for v in items(pod_spec(workload), "volumes") if text(v, "name") == volume), {})
    if not text(mapping(kept, "emptyDir"), "sizeLimit"):
        yield f"has no emptyDir with a sizeLimit at {sidecar.HOME}"
    if missing := {"cpu", "memory"} - set(mapping(beside, "resources", "limits")):
        yield f"has no limit of {' and '.join(sorted(missing))}"
