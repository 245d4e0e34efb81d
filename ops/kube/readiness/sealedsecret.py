"""SealedSecret: its controller has made the Secret."""

from ops.kube.objects import Object, condition, number, text
from ops.kube.readiness.causes import failed
from ops.kube.readiness.state import Done, State, Surroundings, Waiting


def judge(sealed: Object, _scene: Surroundings) -> State:
    """Synced in its newest generation."""
    if number(sealed, "status", "observedGeneration") < number(sealed, "metadata", "generation"):
        return Waiting("the controller to unseal it")
    synced = condition(sealed, "Synced")
    if text(synced, "status") == "True":
        return Done()
    if text(synced, "status") == "False":
        return failed("sealed", why=text(synced, "message"))
    return Waiting("the controller to unseal it")
