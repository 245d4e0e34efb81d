"""What to do when the API server refuses to change a field: which fields can be changed, the command that makes room, what it loses."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from ops.documents import Json
from ops.kube.client import ApiError
from ops.kube.objects import Object, key_of, number, rows, same, table, text

# As its validations put it: apimachinery/pkg/api/validation, and those of StatefulSet, Service, RoleBinding, PriorityClass, Pod.
_WORDS: Final = re.compile(
    r"immutable|may not change once set|updates to statefulset spec|cannot change roleRef|may not be changed in an update|"
    r"may not change fields other than"
)
_CLAIMS: Final = "volumeClaimTemplates"
_SIZE: Final = ("spec", "resources", "requests", "storage")
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
    if sizes := _sizes(before, after):
        return _resized(live, sizes)
    changed = [name for name, value in after.items() if name not in _STATEFUL_SET and not _within(value, before.get(name))]
    rest = f"of its spec only {', '.join(_STATEFUL_SET)} can be, and the manifest changes {', '.join(changed)}; "
    if "selector" in changed:
        return f"{rest}{_delete(live)} makes room: its pods end, its claims stay, and a deploy makes it again"
    claims = " (the claims that are there stay as they are: change each by itself)" if "volumeClaimTemplates" in changed else ""
    return f"{rest}{_delete(live, '--cascade=orphan')} makes room: its pods run on, and a deploy takes them over{claims}"


def _sizes(before: Object, after: Object) -> dict[str, tuple[str, str]]:
    """The claims whose size changes, from which to which; empty where anything else that cannot be changed does too."""
    here, there = ({name: value for name, value in spec.items() if name != _CLAIMS} for spec in (after, before))
    if any(name not in _STATEFUL_SET and not _within(value, there.get(name)) for name, value in here.items()):
        return {}
    old, new = ({text(claim, "metadata", "name"): claim for claim in rows(spec, _CLAIMS)} for spec in (before, after))
    found = {name: (text(old.get(name), *_SIZE), text(claim, *_SIZE)) for name, claim in new.items()}
    bare: list[Json] = [[{**table(claim, "spec"), "resources": {}} for claim in one.values()] for one in (new, old)]
    if old.keys() != new.keys() or not _within(bare[0], bare[1]):
        return {}
    return {name: sizes for name, sizes in found.items() if sizes[0] != sizes[1]}


def _resized(live: Object, sizes: Mapping[str, tuple[str, str]]) -> str:
    """A volume grows by its claim, where its class allows that, and never gets smaller."""
    from kubernetes.utils.quantity import parse_quantity

    key, grown = key_of(live), []
    for name, (old, new) in sizes.items():
        if parse_quantity(new) < parse_quantity(old):
            return (
                f"the volume {name} has {old} and a volume never gets smaller: keep {old} in the manifest; or save the data, make room by "
                f"{_delete(live)} and by deleting its claims {name}-{key.name}-N, deploy, and bring the data back"
            )
        grown.append(f"{name} from {old} to {new}")
    claims = [f"persistentvolumeclaim/{name}-{key.name}-{n}" for name in sizes for n in range(number(live, "spec", "replicas") or 1)]
    change = json.dumps({"spec": {"resources": {"requests": {"storage": next(iter(sizes.values()))[1]}}}}, separators=(",", ":"))
    patch = f"`kubectl --namespace={key.namespace} patch {' '.join(claims)} --type=merge --patch='{change}'`"
    return (
        f"the volume grows, {', '.join(grown)}: first its claims, where their class allows that (allowVolumeExpansion), by {patch}; "
        f"then {_delete(live, '--cascade=orphan')} makes room: its pods run on, and a deploy takes them over"
    )


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
