"""Who made an object, and who owns its fields: read from its managed fields and its owner references.

An entry of the managed fields is one manager's set of fields; `Apply` is a server-side apply, `Update` everything else:
https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

import json
from collections.abc import Iterable
from copy import deepcopy
from typing import Final

from ops.catalog.names import MANAGER
from ops.documents import Json
from ops.kube import write
from ops.kube.client import ApiError, Client
from ops.kube.discovery import Resource
from ops.kube.objects import Key, Object, at, rows, table, text

KUBECTL: Final = "kubectl-client-side-apply"  # the manager of `kubectl apply` without --server-side
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
JSON_PATCH: Final = "application/json-patch+json"
_TRIES = 5
Fields = Object  # FieldsV1: `f:` a field, `k:` an item by its keys, `v:` an item by its value, `.` the thing itself


def applied_fields(live: Object) -> list[Object]:
    """The entries of an object's managed fields that our applies wrote: one for each version of its kind that was applied."""
    entries = rows(live, "metadata", "managedFields")
    return [entry for entry in entries if entry.get("manager") == MANAGER and entry.get("operation") == "Apply"]


def owners(live: Object) -> str:
    """The objects that own this one, or the empty string: whoever made it deletes it with them."""
    found = [f"{text(owner, 'kind')} {text(owner, 'name')}" for owner in rows(live, "metadata", "ownerReferences")]
    return ", ".join(found)


def ours(live: Object) -> bool:
    """Whether a deploy has applied fields of it."""
    return bool(applied_fields(live))


def makers(live: Object) -> tuple[str, ...]:
    """The other managers that wrote the object itself (not its status), the first that is known first."""
    entries = sorted((e for e in _entries(live) if text(e, "manager") != MANAGER), key=lambda e: text(e, "time"))
    return tuple(dict.fromkeys(text(e, "manager") for e in [e for e in entries if _body(e)] or entries))


def sharers(live: Object) -> tuple[str, ...]:
    """The other managers that apply (server-side) fields which a deploy applies too: they want this object as it is."""
    mine = [_body(e) for e in applied_fields(live)]
    theirs = [e for e in _entries(live) if e.get("operation") == "Apply" and text(e, "manager") != MANAGER]
    return tuple(dict.fromkeys(text(e, "manager") for e in theirs if any(_meet(_body(e), fields) for fields in mine)))


def partners(live: Object, *, adopted: bool) -> tuple[str, ...]:
    """The other managers for whose sake an object is not deleted: who made it, where it was `adopted`; who applies it too."""
    return (adopted and makers(live)) or sharers(live)


def fields_of(live: Object) -> list[Object]:
    """The fields that a deploy owns, without when it came to own them."""
    return [table(entry, "fieldsV1") for entry in applied_fields(live)]


def from_kubectl(live: Object) -> list[Object]:
    """The entries of `kubectl apply` without --server-side: what it once set is not removed by anybody as long as they are there."""
    return [e for e in _entries(live) if e.get("operation") == "Update" and (text(e, "manager") == KUBECTL or _remembers(e))]


def kubectls(live: Object) -> set[str]:
    """The managers whose fields become ours."""
    return {text(entry, "manager") for entry in from_kubectl(live)}


def taken_over(live: Object) -> list[Json]:
    """The managed fields of an object when what `kubectl apply` owned is ours, as `kubectl apply --server-side` takes it over."""
    inherited = from_kubectl(live)
    mine = next(iter(applied_fields(live)), None)
    model = mine or max(inherited, key=lambda e: text(e, "time"))
    fields = deepcopy(table(model, "fieldsV1"))
    for one in inherited:  # fields of another version of the kind may have other names
        if text(one, "apiVersion") == text(model, "apiVersion"):
            _add(fields, table(one, "fieldsV1"))
    entry: Object = {**model, "manager": MANAGER, "operation": "Apply", "fieldsV1": fields}
    kept: list[Json] = [e for e in rows(live, "metadata", "managedFields") if e is not mine and e not in inherited]
    return [entry, *kept]


def bare(live: Object) -> Object:
    """An object that names itself and nothing else: to apply it is to give up all our fields of it."""
    metadata: Object = {k: text(live, "metadata", k) for k in ("name", "namespace") if text(live, "metadata", k)}
    return {"apiVersion": text(live, "apiVersion"), "kind": text(live, "kind"), "metadata": metadata}


def take_over(client: Client, resource: Resource, key: Key) -> None:
    """Make what `kubectl apply` owns of an object ours. The next apply removes what no manifest has."""
    path = resource.path(key.namespace, key.name)
    for left in reversed(range(_TRIES)):
        live = client.get(resource, key.namespace, key.name)
        if live is None or not from_kubectl(live):
            return
        patch: list[Json] = [
            {"op": "replace", "path": "/metadata/managedFields", "value": taken_over(live)},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": text(live, "metadata", "resourceVersion")},
        ]
        try:
            write.patch(client, path, patch, JSON_PATCH, {"fieldManager": MANAGER})
            return
        except ApiError as error:
            if error.status != 409 or not left:  # somebody has written in between
                raise


def without_left(after: Object) -> Object:
    """What an apply makes of an object once the fields of `kubectl apply` are ours: those that nobody else has go."""
    inherited = from_kubectl(after)
    kept = [table(e, "fieldsV1") for e in rows(after, "metadata", "managedFields") if e not in inherited]
    result = deepcopy(after)
    for entry in inherited:
        _prune(result, table(entry, "fieldsV1"), kept)
    return result


def _entries(live: Object) -> list[Object]:
    return [e for e in rows(live, "metadata", "managedFields") if not text(e, "subresource")]


def _body(entry: Object) -> Fields:
    """The fields of an entry outside the metadata and the status."""
    return {k: v for k, v in table(entry, "fieldsV1").items() if k not in ("f:metadata", "f:status")}


def _remembers(entry: Object) -> bool:
    return f"f:{LAST_APPLIED}" in table(entry, "fieldsV1", "f:metadata", "f:annotations")


def _meet(one: Fields, other: Fields) -> bool:
    """Whether two sets of fields have a leaf in common."""
    return any(
        not (inner := table(one, name)).keys() - {"."} or _meet(inner, table(other, name)) for name in one if name != "." and name in other
    )


def _add(fields: Fields, more: Fields) -> None:
    for name, inner in more.items():
        fields.setdefault(name, {})
        _add(table(fields, name), table(inner))


def _prune(value: Json, fields: Fields, kept: Iterable[Fields]) -> None:
    """Remove from a value what `fields` name and none of `kept` does."""
    kept = list(kept)
    for name, inner in fields.items():
        place = _place(value, name)
        if place is None:
            continue
        holders = [table(fields_there, name) for fields_there in kept if name in fields_there]
        members = table(inner)
        if not holders and (not members or "." in members):  # a value, or a map or list that nobody else has anything in
            _without(value, place)
            continue
        child = at(value, place)
        _prune(child, members, holders)
        if not holders and not child:
            _without(value, place)


def _place(value: Json, name: str) -> str | int | None:
    """Where in a value lies what a name of FieldsV1 means."""
    kind, _, rest = name.partition(":")
    if kind == "f" and isinstance(value, dict) and rest in value:
        return rest
    if kind in ("k", "v") and isinstance(value, list):
        sought: Json = json.loads(rest)
        keys = sought if kind == "k" and isinstance(sought, dict) else None
        fits = (item == sought if keys is None else all(table(item).get(k) == v for k, v in keys.items()) for item in value)
        return next((index for index, fitting in enumerate(fits) if fitting), None)
    return None


def _without(value: Json, place: str | int) -> None:
    match value:
        case dict() if isinstance(place, str):
            del value[place]
        case list() if isinstance(place, int):
            del value[place]
