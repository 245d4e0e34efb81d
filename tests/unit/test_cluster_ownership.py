"""Whose an object is, by its managed fields. `integration/test_deploy_ownership.py` asks a real API server."""

from typing import Any

from ops.catalog.names import MANAGER
from ops.cluster import ownership

KUBECTL = ownership.KUBECTL


def entry(manager: str, operation: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": fields, **more}


def config(data: dict[str, Any], *entries: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "managedFields": list(entries)}, "data": data}


def names(*keys: str) -> dict[str, Any]:
    return {"f:data": {f"f:{key}": {} for key in keys}}


def test_what_kubectl_owns_is_merged_into_ours_and_others_keep_theirs() -> None:
    ours, theirs = entry(MANAGER, "Apply", names("a")), entry("someone", "Update", names("x"))
    once = entry(KUBECTL, "Update", {"f:data": {".": {}, "f:a": {}, "f:b": {}}})
    older = entry(KUBECTL, "Update", names("old"), apiVersion="v1beta1")
    found = ownership.taken_over(config({}, once, theirs, ours, older))
    assert found == [entry(MANAGER, "Apply", {"f:data": {"f:a": {}, ".": {}, "f:b": {}}}), theirs]
    assert ours["fieldsV1"] == names("a")  # what is read is left as it is


def test_a_manager_that_remembers_what_kubectl_applied_is_kubectl() -> None:
    annotation: dict[str, Any] = {"f:metadata": {"f:annotations": {f"f:{ownership.LAST_APPLIED}": {}}}}
    renamed = entry("my-tool", "Update", annotation)
    assert ownership.kubectls(config({}, renamed, entry("kubectl-edit", "Update", names("a")))) == {"my-tool"}
    assert ownership.kubectls(config({}, entry("kubectl-last-applied", "Apply", annotation))) == set()
    assert ownership.kubectls(config({}, {**renamed, "subresource": "status"})) == set()


def test_what_nobody_else_owns_goes_with_what_kubectl_owned() -> None:
    once = entry(KUBECTL, "Update", {"f:data": {"f:a": {}, "f:b": {}, "f:c": {}}})
    after = config({"a": "1", "b": "2", "c": "3", "d": "4"}, entry(MANAGER, "Apply", names("a")), entry("x", "Update", names("b")), once)
    assert ownership.without_left(after)["data"] == {"a": "1", "b": "2", "d": "4"}
    assert after["data"] == {"a": "1", "b": "2", "c": "3", "d": "4"}


def test_items_of_lists_go_by_their_keys() -> None:
    def port(number: int, *more: str) -> dict[str, Any]:
        return {f'k:{{"port":{number},"protocol":"TCP"}}': {".": {}, **{f"f:{name}": {} for name in ("port", *more)}}}

    once = {"f:spec": {"f:ports": {".": {}, **port(80, "name"), **port(90)}, "f:type": {}}, "f:metadata": {"f:finalizers": {'v:"a/b"': {}}}}
    mine = {"f:spec": {"f:ports": port(80)}}
    ports: list[Any] = [{"port": 80, "protocol": "TCP", "name": "web", "targetPort": 80}, {"port": 90, "protocol": "TCP", "targetPort": 90}]
    metadata: dict[str, Any] = {
        "managedFields": [entry(KUBECTL, "Update", once), entry(MANAGER, "Apply", mine)],
        "finalizers": ["a/b", "c/d"],
    }
    left = ownership.without_left({"kind": "Service", "metadata": metadata, "spec": {"ports": ports, "type": "ClusterIP", "ip": "1"}})
    assert left["spec"] == {"ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}], "ip": "1"}
    assert left["metadata"]["finalizers"] == ["c/d"]  # type: ignore[index,call-overload]


def test_only_who_applies_the_same_fields_shares_an_object_that_a_deploy_made() -> None:
    ours = entry(MANAGER, "Apply", {**names("a"), "f:metadata": {"f:labels": {"f:x": {}}}})
    for other, sharers in (
        (entry("helm", "Apply", names("a")), ("helm",)),
        (entry("helm", "Apply", names("b")), ()),
        (entry("labeller", "Apply", {"f:metadata": {"f:labels": {"f:x": {}}}}), ()),
        (entry("kubectl-edit", "Update", names("a")), ()),
        (entry("helm", "Apply", names("a"), subresource="status"), ()),
    ):
        found = config({}, ours, other)
        assert ownership.partners(found, adopted=False) == sharers
        assert ownership.partners(found, adopted=True) == (() if "subresource" in other else (other["manager"],))
    assert ownership.partners(config({}, ours), adopted=True) == ()  # whoever made it owns nothing of it any more
