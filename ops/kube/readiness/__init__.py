"""One file a kind: a pure function from an object and what lies around it to done, waiting or failed.

A kind that is not here is ready as soon as it is there. Of a CronJob, `cronjob.py` says how its runs went: no deploy waits for them, since
the next may be a month away, and the last was another version's.
"""

from collections.abc import Callable, Mapping
from typing import Final

from ops.kube.objects import Object, text
from ops.kube.readiness import autoscaler, claim, daemonset, definition, deployment, job, pod, quota, sealedsecret, statefulset
from ops.kube.readiness.causes import remedy
from ops.kube.readiness.state import Done, Failed, LogOf, State, Stuck, Surroundings, Waiting

JUDGES: Final[Mapping[str, Callable[[Object, Surroundings], State]]] = {
    "CustomResourceDefinition": definition.judge,
    "DaemonSet": daemonset.judge,
    "Deployment": deployment.judge,
    "HorizontalPodAutoscaler": autoscaler.judge,
    "Job": job.judge,
    "PersistentVolumeClaim": claim.judge,
    "Pod": pod.judge,
    "ResourceQuota": quota.judge,
    "SealedSecret": sealedsecret.judge,
    "StatefulSet": statefulset.judge,
}


def judge(manifest: Object, scene: Surroundings) -> State:
    """Whether an object is ready, by its kind."""
    judge_kind = JUDGES.get(text(manifest, "kind"))
    return judge_kind(manifest, scene) if judge_kind else Done()


__all__ = ["JUDGES", "Done", "Failed", "LogOf", "State", "Stuck", "Surroundings", "Waiting", "judge", "remedy"]
