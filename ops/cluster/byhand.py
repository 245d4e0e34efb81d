"""What somebody did by hand that no dry run shows: the fields are not the manifest's, and they decide whether it works."""

from ops.cluster.objects import Object, applied_fields, at, key_of, number, table, text, texts

_SCALED = ("Deployment", "StatefulSet")


def leaving(live: Object) -> str:
    """Why nothing can be said of an object that is on its way out, or the empty string."""
    if not text(live, "metadata", "deletionTimestamp"):
        return ""
    finalizers = ", ".join(texts(live, "metadata", "finalizers")) or "none"
    return f"it is being deleted (finalizers: {finalizers}): plan again when it is gone"


def halted(live: Object, wanted: Object | None = None) -> str:
    """Why a workload takes in no change, with what ends it, or the empty string. What the manifest `wanted` says itself, it will have."""
    key = key_of(live)
    if key.kind == "Deployment" and at(live, "spec", "paused") is True:
        return f"it is paused; `kubectl --namespace={key.namespace} rollout resume deployment/{key.name}` ends that"
    if (
        key.kind in _SCALED
        and at(wanted, "spec", "replicas") is None
        and number(live, "spec", "replicas", default=1) == 0
        and not _ours(live)
    ):
        command = f"kubectl --namespace={key.namespace} scale {key.kind.lower()}/{key.name} --replicas=1"
        return f"it is scaled to 0 by hand, where its autoscaler does nothing; `{command}` ends that"
    return ""


def _ours(live: Object) -> bool:
    """Whether the number of replicas is the manifest's."""
    return any("f:replicas" in table(entry, "fieldsV1", "f:spec") for entry in applied_fields(live))
