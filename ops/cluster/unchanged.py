"""Whether applying an object again would change nothing, told from its managed fields: a plan asks the API server about the rest.

A server-side apply sets the fields of the manifest, and removes those that its manager applied before and the manifest has no
longer. So it does nothing where the fields that the manager owns are just those of the manifest, and each has its value already.
How the API server writes down the fields that a manager owns: https://pkg.go.dev/k8s.io/apimachinery/pkg/apis/meta/v1#FieldsV1
"""

import json
from collections.abc import Mapping

from ops.cluster.ownership import applied_fields, from_kubectl
from ops.documents import Json
from ops.kube.objects import Object, same, table, text

_IDENTITY = ("apiVersion", "kind")  # and metadata.name, metadata.namespace: no manager owns the fields that name the object


def unchanged(wanted: Object, live: Object) -> bool:
    """True only if it is certain. False says nothing: a value may be written in another way, or a list be in another order."""
    entries = applied_fields(live)
    if (
        len(entries) != 1
        or from_kubectl(live)
        or text(entries[0], "apiVersion") != text(wanted, "apiVersion")
        or "subresource" in entries[0]
    ):
        return False
    metadata: Object = {k: v for k, v in table(wanted, "metadata").items() if k not in ("name", "namespace")}
    applied: Object = {k: v for k, v in wanted.items() if k not in _IDENTITY} | {"metadata": metadata}
    return _holds(applied, live, table(entries[0], "fieldsV1"))


def _holds(wanted: Json, live: Json, owned: Object) -> bool:
    """Whether `owned` names just the fields of `wanted`, and `live` has the value of each."""
    members = {name: table(owned, name) for name in owned if name != "."}
    if not members:  # a value that is owned whole
        return same(wanted, live)
    if isinstance(wanted, dict) and isinstance(live, dict):
        return members.keys() == {f"f:{name}" for name in wanted} and all(
            name in live and _holds(value, live[name], members[f"f:{name}"]) for name, value in wanted.items()
        )
    if isinstance(wanted, list) and isinstance(live, list):
        return _items(wanted, live, members) if all(name.startswith("k:") for name in members) else _values(wanted, live, members)
    return False


def _items(wanted: list[Json], live: list[Json], members: Mapping[str, Object]) -> bool:
    """A list whose items have keys, such as the containers of a pod. The order counts: an apply restores it."""
    if len(wanted) != len(members):
        return False
    left, after = dict(members), 0
    for item in wanted:
        names = [name for name in left if _has(item, _key(name), defaults=True)]
        if len(names) != 1:
            return False
        key = _key(names[0])
        places = [place for place, there in enumerate(live) if _has(there, key)]
        if len(places) != 1 or places[0] < after or not _holds(item, live[places[0]], left.pop(names[0])):
            return False
        after = places[0] + 1
    return True


def _key(member: str) -> Object:
    key: Object = json.loads(member[2:])
    return key


def _has(item: Json, key: Object, *, defaults: bool = False) -> bool:
    """Whether an item has this key; with `defaults`, one that leaves out a part of it may have it."""
    return isinstance(item, dict) and all(same(item[k], v) if k in item else defaults for k, v in key.items())


def _values(wanted: list[Json], live: list[Json], members: Mapping[str, Object]) -> bool:
    """A list that is a set, such as finalizers."""
    owned = [json.loads(name[2:]) for name in members if name.startswith("v:")]
    among = [value for value in live if value in wanted]
    return len(owned) == len(members) == len(wanted) and all(value in owned for value in wanted) and among == wanted
