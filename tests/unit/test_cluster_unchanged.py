"""Whether an apply would change nothing, by the managed fields alone. `integration/test_platform.py` asks a real API server too."""

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.catalog.names import MANAGER
from ops.cluster.unchanged import unchanged

WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "n", "labels": {"app": "web"}, "finalizers": ["a/b", "c/d"]},
    "spec": {
        "replicas": 2,
        "one": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "spec": {
                "containers": [
                    {"name": "web", "image": "web:1", "args": ["a", "b"], "ports": [{"containerPort": 1}, {"containerPort": 2}]},
                    {"name": "side", "image": "side:1", "resources": {}},
                ]
            }
        },
    },
}
KEYS = {"containers": ("name",), "ports": ("containerPort", "protocol")}
ATOMIC = ("selector", "args")


def owned(value: Any, field: str = "") -> dict[str, Any]:
    """The fields of a manifest as the API server writes down that a manager owns them."""
    if isinstance(value, dict) and field not in ATOMIC:
        return {f"f:{name}": owned(child, name) for name, child in value.items()}
    if isinstance(value, list) and field in KEYS:
        members = {}
        for item in value:
            key = {name: item.get(name, "TCP") for name in KEYS[field]}
            members[f"k:{json.dumps(key, separators=(',', ':'))}"] = {".": {}, **owned(item)}
        return members
    if isinstance(value, list) and field == "finalizers":
        return {f"v:{json.dumps(item)}": {} for item in value}
    return {}


def applied(manifest: dict[str, Any], **entry: Any) -> dict[str, Any]:
    """What the API server keeps of a manifest: its fields, some defaults, and who owns what."""
    kept = deepcopy(manifest)
    for item in kept.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
        item["imagePullPolicy"] = "IfNotPresent"
        for port in item.get("ports", []):
            port.setdefault("protocol", "TCP")
    mine = {k: v for k, v in manifest.items() if k not in ("apiVersion", "kind")}
    mine["metadata"] = {k: v for k, v in mine["metadata"].items() if k not in ("name", "namespace")}
    mine_entry = {"manager": MANAGER, "operation": "Apply", "apiVersion": manifest["apiVersion"], "fieldsV1": owned(mine), **entry}
    other = {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}}
    kept["metadata"] |= {"uid": "1", "managedFields": [mine_entry, other]}
    return {**kept, "status": {"replicas": 2}}


def test_what_was_applied_changes_nothing() -> None:
    assert unchanged(WEB, applied(WEB))


def containers(manifest: dict[str, Any]) -> Any:
    return manifest["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["spec"].update(replicas=3),
        lambda m: m["spec"].pop("replicas"),
        lambda m: m["spec"].update(replicas=2.0),
        lambda m: m["spec"].update(one=True),
        lambda m: m["spec"].update(paused=True),
        lambda m: m["spec"]["selector"]["matchLabels"].update(more="x"),
        lambda m: m["metadata"]["labels"].update(app="api"),
        lambda m: m["metadata"]["labels"].update(more="x"),
        lambda m: m["metadata"]["labels"].clear(),
        lambda m: m["metadata"]["finalizers"].append("e/f"),
        lambda m: m["metadata"]["finalizers"].pop(),
        lambda m: m["metadata"]["finalizers"].reverse(),
        lambda m: m["metadata"].update(annotations={"a": "b"}),
        lambda m: containers(m)[0].update(image="web:2"),
        lambda m: containers(m)[0]["args"].reverse(),
        lambda m: containers(m)[0].pop("args"),
        lambda m: containers(m)[0].update(imagePullPolicy="IfNotPresent"),  # the same value, but from now on owned
        lambda m: containers(m)[0]["ports"].reverse(),
        lambda m: containers(m)[0]["ports"][0].update(protocol="UDP"),
        lambda m: containers(m)[0]["ports"].append({"containerPort": 3}),
        lambda m: containers(m)[0]["ports"].append({"containerPort": 1, "protocol": "UDP"}),
        lambda m: containers(m)[1].update(resources={"limits": {"cpu": "1"}}),
        lambda m: containers(m)[1].update(resources=None),
        lambda m: containers(m).reverse(),
        lambda m: containers(m).pop(),
        lambda m: containers(m).append({"name": "third", "image": "x"}),
        lambda m: m.update(apiVersion="apps/v2"),
        lambda m: m.update(spec="text"),
    ],
)
def test_a_changed_manifest_is_asked_about(change: Any) -> None:
    manifest = deepcopy(WEB)
    change(manifest)
    assert not unchanged(manifest, applied(WEB))


@pytest.mark.parametrize(
    "change",
    [
        lambda o: o["spec"].update(replicas=5),
        lambda o: containers(o)[0].update(image="web:2"),
        lambda o: containers(o).reverse(),
        lambda o: containers(o).pop(),
        lambda o: containers(o).insert(0, dict(containers(o)[0])),
        lambda o: o["metadata"]["finalizers"].remove("a/b"),
        lambda o: o["spec"].pop("selector"),
        lambda o: o["metadata"].pop("managedFields"),
        lambda o: o["metadata"]["managedFields"].append(o["metadata"]["managedFields"][0]),
    ],
)
def test_an_object_that_others_changed_is_asked_about(change: Any) -> None:
    live = applied(WEB)
    change(live)
    assert not unchanged(WEB, live)


def test_what_others_added_is_theirs() -> None:
    live = applied(WEB)
    live["metadata"]["labels"]["other"] = "x"
    containers(live).insert(1, {"name": "injected", "image": "mesh:1"})
    live["metadata"]["finalizers"].insert(1, "x/y")
    assert unchanged(WEB, live)


@pytest.mark.parametrize(
    "entry", [{"manager": "kubectl"}, {"operation": "Update"}, {"apiVersion": "apps/v1beta1"}, {"subresource": "scale"}]
)
def test_only_an_apply_of_ours_in_this_version_counts(entry: dict[str, str]) -> None:
    assert not unchanged(WEB, applied(WEB, **entry))


scalars = st.booleans() | st.integers(2) | st.text(max_size=5)
names = st.text(alphabet="abc.:", min_size=1, max_size=3)  # none of KEYS and ATOMIC
trees = st.recursive(scalars, lambda child: st.dictionaries(names, child, max_size=3), max_leaves=12)
manifests = st.builds(
    lambda spec, rows: {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {"name": "x", "labels": {"a": "b"}},
        "spec": spec,
        "containers": [{**body, "name": name} for name, body in rows.items()],
    },
    st.dictionaries(names, trees, max_size=4),
    st.dictionaries(names, st.dictionaries(names, trees, max_size=3), min_size=1, max_size=3),
)


@given(manifests, manifests)
def test_it_is_certain_only_of_the_very_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert unchanged(one, applied(one))
    assert unchanged(other, applied(one)) == (one == other)
