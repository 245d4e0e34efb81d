"""Changes by hand that no dry run shows, since the manifest does not have these fields; they decide whether the workload works."""

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
    """Why an object that is being deleted cannot be planned for; the empty string where it is not being deleted."""
    if not text(live, "metadata", "deletionTimestamp"):
        return ""
    return f"it is being deleted ({_holding(live)}): plan again when it is gone"


def _holding(live: Object) -> str:
    """What delays a deletion: the object's finalizers; for a namespace, what is still in it, as its conditions say."""
    left = [text(c, "message").strip(" .") for c in rows(live, "status", "conditions") if text(c, "status") == "True"]
    if text(live, "kind") == "Namespace" and left:
        return "; ".join(left)
    return f"finalizers: {', '.join(texts(live, 'metadata', 'finalizers')) or 'none'}"


def lingers(live: Object) -> str:
    """Why an object that was deleted is still there, or the empty string."""
    if not text(live, "metadata", "deletionTimestamp"):
        return ""
    finalizers = ", ".join(texts(live, "metadata", "finalizers"))
    return f"it was deleted, and is still there: {f'its finalizer {finalizers} holds it' if finalizers else 'the deletion is under way'}"


def halted(live: Object, wanted: Object | None = None) -> str:
    """Why a change of a workload would have no effect, with the command that ends this; or the empty string.

    A field that the manifest `wanted` sets is no reason: the deploy sets it.
    """
    key = key_of(live)
    if key.kind == "Deployment" and at(live, "spec", "paused") is True:
        return f"it is paused; `kubectl --namespace={key.namespace} rollout resume deployment/{key.name}` ends that"
    if key.kind == "CronJob" and at(live, "spec", "suspend") is True and at(wanted, "spec", "suspend") is not False:
        command = f"""kubectl --namespace={key.namespace} patch cronjob/{key.name} --patch '{{"spec":{{"suspend":false}}}}'"""
        return f"it is suspended, and no run begins; `{command}` ends that"
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
    return f"{', '.join(more)} was set by hand, and overrides the configuration; `{command}` ends that"


def _variables(workload: Object) -> dict[str, set[str]]:
    """The names of the variables of each container."""
    containers = containers_of(pod_template(workload) or {})
    return {text(container, "name"): {text(row, "name") for row in rows(container, "env")} for container in containers}


def _declared(live: Object) -> bool:
    """Whether an apply has set the number of replicas, and not a person's `kubectl scale` or an autoscaler."""
    entries = rows(live, "metadata", "managedFields")
    return any(text(e, "operation") == "Apply" and "f:replicas" in table(e, "fieldsV1", "f:spec") for e in entries)
