"""ResourceQuota: its controller has counted what is there; until then it bounds nothing."""

from ops.kube.objects import Object, table
from ops.kube.readiness.state import Done, State, Surroundings, Waiting


def judge(quota: Object, _scene: Surroundings) -> State:
    """The status has the bounds of the specification."""
    counted = table(quota, "status", "hard") == table(quota, "spec", "hard")
    return Done() if counted else Waiting("what is there to be counted")
