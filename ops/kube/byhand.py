"""What somebody did by hand that no dry run shows: the fields are not the manifest's, and they decide whether it works."""

from ops.kube.objects import (
    SCALED,
    WORKLOADS,
    Object,
    at,
    containers_of,
    key_of,
    number,
    pod_template,
    rows,
    table,
    text,
    texts,
)


def leaving(live: Object) -> str:
    """Why nothing can be said of an object that is on its way out, or the empty string."""
    if not text(live, "metadata", "deletionTimestamp"):
        return ""
    return f"it is being deleted ({_holding(live)}): plan again when it is gone"


def _holding(live: Object) -> str:
    """What keeps an object that was deleted: its finalizers; of a namespace, what is still in it, by its own conditions."""
    left = [text(c, "message").strip(" .") for c in rows(live, "status", "conditions") if text(c, "status") == "True"]
    if text(live, "kind") == "Namespace" and left:
        return "; ".join(left)
    return f"finalizers: {', '.join(texts(live, 'metadata', 'finalizers')) or 'none'}"


def lingers(live: Object) -> str:
    """Why an object that was deleted is still there, or the empty string."""
    if not text(live, "metadata", "deletionTimestamp"):
        return ""
    finalizers = ", ".join(texts(live, "metadata", "finalizers"))
    return f"it was deleted, and is still there: {f'held by its finalizer {finalizers}' if finalizers else 'its end is awaited'}"


def halted(live: Object, wanted: Object | None = None) -> str:
    """Why a workload takes in no change, with what ends it, or the empty string. What the manifest `wanted` says itself, it will have."""
    key = key_of(live)
    if key.kind == "Deployment" and at(live, "spec", "paused") is True:
        return f"it is paused; `kubectl --namespace={key.namespace} rollout resume deployment/{key.name}` ends that"
    if (
        key.kind in SCALED
        and at(wanted, "spec", "replicas") is None
        and number(live, "spec", "replicas", default=1) == 0
        and not _declared(live)
    ):
        command = f"kubectl --namespace={key.namespace} scale {key.kind.lower()}/{key.name} --replicas=1"
        return f"it is scaled to 0 by hand, where its autoscaler does nothing; `{command}` ends that"
    return ""


def added(after: Object, wanted: Object) -> str:
    """Which variables of a workload's containers are not the manifest's and stay, with what ends it, or the empty string.

    A variable of a container beats one of the same name from a ConfigMap or a Secret, so it may decide what runs. `after`: the
    object as an apply leaves it.
    """
    key = key_of(wanted)
    if key.kind not in WORKLOADS:
        return ""
    ours, there = _variables(wanted), _variables(after)
    more = sorted({name for container, names in ours.items() for name in there.get(container, set()) - names})
    if not more:
        return ""
    command = f"kubectl --namespace={key.namespace} set env {key.kind.lower()}/{key.name} {' '.join(f'{name}-' for name in more)}"
    return f"{', '.join(more)} was set by hand, and beats what the configuration says; `{command}` ends that"


def _variables(workload: Object) -> dict[str, set[str]]:
    """The names of the variables of each container."""
    containers = containers_of(pod_template(workload) or {})
    return {text(container, "name"): {text(row, "name") for row in rows(container, "env")} for container in containers}


def _declared(live: Object) -> bool:
    """Whether the number of replicas is a manifest's: somebody has applied it."""
    entries = rows(live, "metadata", "managedFields")
    return any(text(e, "operation") == "Apply" and "f:replicas" in table(e, "fieldsV1", "f:spec") for e in entries)
