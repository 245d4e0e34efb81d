"""CustomResourceDefinition: its kind is served."""

from ops.kube.objects import Object, condition, text
from ops.kube.readiness.state import Done, Failed, State, Surroundings, Waiting


def judge(definition: Object, _scene: Surroundings) -> State:
    """Established, and its names are accepted."""
    if text(condition(definition, "Established"), "status") == "True":
        return Done()
    names = condition(definition, "NamesAccepted")
    if text(names, "status") == "False":
        return Failed(f"its names are taken: {text(names, 'message')}")
    return Waiting("its kind to be served")
