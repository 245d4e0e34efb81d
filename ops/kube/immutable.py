"""What to do when the API server refuses to change a field: which fields can be changed, the command that makes room, what it loses."""

import re
from collections.abc import Callable
from typing import Final

from ops.documents import Json
from ops.kube.client import ApiError
from ops.kube.objects import Object, key_of, same, table, text

# As its validations put it: apimachinery/pkg/api/validation, and those of StatefulSet, Service, RoleBinding, PriorityClass, Pod.
_WORDS: Final = re.compile(
    r"immutable|may not change once set|updates to statefulset spec|cannot change roleRef|may not be changed in an update|"
    r"may not change fields other than"
)
_STATEFUL_SET: Final = (  # what can be changed of its spec
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


def explained(error: ApiError, wanted: Object, live: Object | None) -> str:
    """What the API server said, in short, and what to do: for a field that cannot be changed. Else its own words."""
    if live is None or error.status != 422 or not _WORDS.search(error.message):
        return error.message
    fields = ", ".join(dict.fromkeys(text(cause, "field") for cause in error.causes)) or "a field"
    remedy = _REMEDIES.get(text(live, "kind"), _any)(wanted, live)
    return f"{fields} cannot be changed once it is there; {remedy}"


def _delete(live: Object, *more: str) -> str:
    key = key_of(live)
    return (
        " ".join(
            ["`kubectl", *([f"--namespace={key.namespace}"] if key.namespace else []), "delete", f"{key.kind.lower()}/{key.name}", *more]
        )
        + "`"
    )


def _stateful_set(wanted: Object, live: Object) -> str:
    before, after = table(live, "spec"), table(wanted, "spec")
    changed = [name for name, value in after.items() if name not in _STATEFUL_SET and not _within(value, before.get(name))]
    rest = f"of its spec only {', '.join(_STATEFUL_SET)} can be, and the manifest changes {', '.join(changed)}; "
    if "selector" in changed:
        return f"{rest}{_delete(live)} makes room: its pods end, its claims stay, and a deploy makes it again"
    claims = " (the claims that are there stay as they are: change each by itself)" if "volumeClaimTemplates" in changed else ""
    return f"{rest}{_delete(live, '--cascade=orphan')} makes room: its pods run on, and a deploy takes them over{claims}"


def _claim(wanted: Object, live: Object) -> str:
    if text(live, "status", "phase") == "Pending" and not text(live, "spec", "volumeName"):
        return f"it never had a volume, so nothing is lost by {_delete(live)}; then deploy again"
    return (
        "of a bound claim only resources.requests.storage can be, to more, where its class allows that; "
        f"else save its data first: {_delete(live)} makes room, and loses the data unless its volume is retained"
    )


def _service(_: Object, live: Object) -> str:
    return f"leave it out of the manifest, or make room with {_delete(live)}: its address changes, and who holds the former one loses it"


def _data(_: Object, live: Object) -> str:
    return f"give it another name, as a generator of Kustomize does; or make room with {_delete(live)}: its values are lost with it"


def _losing(what: str) -> Callable[[Object, Object], str]:
    return lambda _, live: f"{_delete(live)} makes room: {what}; then deploy again"


def _any(_: Object, live: Object) -> str:
    return f"give it another name; or, if nothing is lost with it, make room with {_delete(live)}"


_REMEDIES: Final = {
    "StatefulSet": _stateful_set,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
    "ConfigMap": _data,
    "Secret": _data,
    "Deployment": _losing("its pods end, and nothing answers until the new ones are ready"),
    "DaemonSet": _losing("its pods end, and nothing answers until the new ones are ready"),
    "Job": _losing("its pods and their logs are lost"),
    "RoleBinding": _losing("whom it names has no rights by it until it is made again"),
    "ClusterRoleBinding": _losing("whom it names has no rights by it until it is made again"),
    "StorageClass": _losing("volumes of it that are there stay as they are"),
    "PriorityClass": _losing("pods that are there keep their priority"),
}


def _within(wanted: Json, live: Json) -> bool:
    """Whether `live` has all that is wanted, beside what the API server has filled in."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(_within(value, live.get(name)) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(wanted) == len(live) and all(map(_within, wanted, live))
    return same(wanted, live)
