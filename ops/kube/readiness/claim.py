"""PersistentVolumeClaim: it has its volume, or will get it with its first pod."""

from ops.kube.objects import Object, text
from ops.kube.readiness.causes import failed
from ops.kube.readiness.state import Done, State, Surroundings, Waiting


def judge(claim: Object, scene: Surroundings) -> State:
    """Bound, or waiting for a first consumer on purpose."""
    phase, name = text(claim, "status", "phase"), text(claim, "metadata", "name")
    if phase == "Bound":
        return Done()
    if phase == "Lost":
        return failed("lost volume", name=name, volume=text(claim, "spec", "volumeName"))
    said = scene.events_of(text(claim, "metadata", "uid"), "ProvisioningFailed", "FailedBinding", "WaitForFirstConsumer")
    if said and text(said[-1], "reason") == "WaitForFirstConsumer":
        return Done()
    if said:
        return failed("claim", name=name, why=text(said[-1], "message"))
    return Waiting("a volume")
