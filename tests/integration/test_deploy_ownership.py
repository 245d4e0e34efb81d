"""Whose an object is, on a real API server: what a deploy may change and delete, and what it leaves to others."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ops.catalog.names import OWNED
from ops.cluster import show, unwanted
from ops.cluster.plan import Plan
from ops.cluster.planfile import from_document, to_document
from ops.cluster.step import Step
from ops.errors import RolledBack
from ops.kube import write
from tests.integration.cluster import Cluster

MERGE = "application/merge-patch+json"


def by(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(o for o in objects if o["kind"] == kind)


def path(cluster: Cluster, plural: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{cluster.platform.home}/{plural}{f'/{name}' if name else ''}"


def kubectl_applies(cluster: Cluster, plural: str, body: dict[str, Any]) -> None:
    """What `kubectl apply` without --server-side does: one write by its manager, with what it wrote in an annotation."""
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(body)}
    metadata = {**body["metadata"], "annotations": annotation}
    query = {"fieldManager": "kubectl-client-side-apply"}
    cluster.client.request("POST", path(cluster, plural), query, body={**body, "metadata": metadata})


def changes(plan: Plan) -> dict[str, Step]:
    return {step.key.name: step for step in plan.changes}


def shown(plan: Plan) -> str:
    return "\n".join(show.plan_lines(plan, "TARGET"))


def data(cluster: Cluster, name: str) -> dict[str, str] | None:
    found = cluster.get("ConfigMap", name)
    return None if found is None else found.get("data", {})


def test_the_order_of_variables_and_of_what_runs_first_is_a_change(cluster: Cluster) -> None:
    def pod(objects: list[dict[str, Any]]) -> Any:
        return by(objects, "Deployment")["spec"]["template"]["spec"]

    def first(*names: str) -> Callable[[list[dict[str, Any]]], None]:
        def change(objects: list[dict[str, Any]]) -> None:
            resources = pod(objects)["containers"][0]["resources"]
            image = cluster.platform.store_image
            pod(objects)["initContainers"] = [{"name": n, "image": image, "args": ["once"], "resources": resources} for n in names]

        return change

    cluster.platform.env, cluster.platform.change = {"ADDRESS": "$(HOST_NAME):8080", "HOST_NAME": "web"}, first("fill", "wait")
    cluster.deploy()
    assert cluster.plan().empty
    cluster.platform.env, cluster.platform.change = {"HOST_NAME": "web", "ADDRESS": "$(HOST_NAME):8080"}, first("wait", "fill")

    plan = cluster.plan()

    assert "containers[web].env (order): ADDRESS, HOST_NAME → HOST_NAME, ADDRESS" in shown(plan)
    assert "initContainers (order): fill, wait → wait, fill" in shown(plan)
    cluster.execute(plan)
    spec = cluster.web()["spec"]["template"]["spec"]
    assert [e["name"] for e in spec["containers"][0]["env"]] == ["HOST_NAME", "ADDRESS"]
    assert [i["name"] for i in spec["initContainers"]] == ["wait", "fill"]
    assert cluster.plan().empty


def test_what_others_made_with_our_label_is_kept_and_said(cluster: Cluster) -> None:
    cluster.deploy()
    web, label = cluster.web(), {OWNED: "staging"}
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": web["metadata"]["uid"], "controller": True}
    metadata: dict[str, Any]
    for name, more in (("operator-state", {"ownerReferences": [owner]}), ("copied-by-hand", {})):
        metadata = {"name": name, "labels": label, **more}
        cluster.client.request("POST", path(cluster, "configmaps"), {"fieldManager": "someone"}, body={"metadata": metadata})
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "x", "image": "x"}]}}
    metadata = {"name": "nightly-report", "labels": label, "ownerReferences": [owner]}
    job: Any = {"metadata": metadata, "spec": {"suspend": True, "template": template}}
    cluster.client.request("POST", f"/apis/batch/v1/namespaces/{cluster.platform.home}/jobs", body=job)
    # What a deploy applied, and somebody gave an owner since.
    cluster.client.request(
        "PATCH", path(cluster, "configmaps", "extra"), body={"metadata": {"ownerReferences": [owner]}}, content_type=MERGE
    )
    cluster.platform.config, cluster.platform.extra = {"GREETING": "bye"}, False

    plan = cluster.plan()

    assert not [s for s in plan.changes if s.action == "delete"]
    home = cluster.platform.home
    for line in (
        f"! ConfigMap {home}/operator-state: it has our label, and belongs to Deployment web: it is kept",
        f"! ConfigMap {home}/copied-by-hand: it has our label, and was made by someone and not by a deploy: it is kept",
        f"! Job {home}/nightly-report: it has our label, and belongs to Deployment web: it is kept",
        f"! ConfigMap {home}/extra: it has our label, and belongs to Deployment web: it is kept",
    ):
        assert line in shown(plan)
    cluster.execute(plan)
    for name in ("operator-state", "copied-by-hand", "extra"):
        assert cluster.get("ConfigMap", name) is not None
    assert cluster.get("Job", "nightly-report", group="batch") is not None


@pytest.mark.parametrize("way", ["apply", "create"])
def test_what_another_manager_made_is_shared_with_a_word_and_given_back(cluster: Cluster, way: str) -> None:
    body: Any = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra"}, "data": {"a": "1"}}
    if way == "apply":
        query = {"fieldManager": "helm"}
        cluster.client.request("PATCH", path(cluster, "configmaps", "extra"), query, body=body, content_type="application/apply-patch+yaml")
    else:
        cluster.client.request("POST", path(cluster, "configmaps"), {"fieldManager": "helm"}, body=body)
    cluster.platform.change = lambda objects: by(objects, "ConfigMap")["data"].update(b="2")
    plan = cluster.plan()
    assert changes(plan)["extra"].note == "exists, made by helm: it is shared from now on"
    cluster.execute(plan)
    assert cluster.plan().empty
    cluster.platform.config, cluster.platform.change = {"GREETING": "again"}, lambda objects: None
    cluster.deploy()  # another record in between still knows who made it
    cluster.platform.extra = False

    plan = from_document(json.loads(json.dumps(to_document(cluster.plan()))))

    assert changes(plan)["extra"].action == "release"
    assert "↩ ConfigMap" in shown(plan) and "1 to release" in shown(plan)
    cluster.execute(plan)
    found = cluster.get("ConfigMap", "extra")
    assert found is not None and found["data"] == {"a": "1"}
    assert OWNED not in found["metadata"].get("labels", {})
    assert {m["manager"] for m in found["metadata"]["managedFields"]} == {"helm"}
    assert cluster.plan().empty


def test_a_failed_deploy_gives_back_what_it_came_to_share(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwanted, "_CLOCKS", timedelta(0))  # it is older than the deploy by one clock, and by less than 5 s
    body: Any = {"metadata": {"name": "extra"}, "data": {"a": "1"}}
    cluster.client.request("POST", path(cluster, "configmaps"), {"fieldManager": "helm"}, body=body)
    cluster.platform.extra = False
    cluster.deploy()
    cluster.platform.extra, cluster.platform.env = True, {"EXIT_CODE": "3"}
    with pytest.raises(RolledBack):
        cluster.deploy()
    found = cluster.get("ConfigMap", "extra")
    assert found is not None and found["data"] == {"a": "1"}
    assert {m["manager"] for m in found["metadata"]["managedFields"]} == {"helm"}
    assert OWNED not in found["metadata"].get("labels", {})


def test_what_was_shared_with_nobody_is_deleted(cluster: Cluster) -> None:
    """Somebody's own fields beside ours do not make it theirs."""
    cluster.deploy()
    query = {"fieldManager": "someone"}
    body: Any = {"data": {"b": "theirs"}, "metadata": {"labels": {"seen": "yes"}}}
    cluster.client.request("PATCH", path(cluster, "configmaps", "extra"), query, body=body, content_type=MERGE)
    cluster.platform.extra = False
    plan = cluster.plan()
    assert changes(plan)["extra"].action == "delete"
    cluster.execute(plan)
    assert data(cluster, "extra") is None


def test_what_kubectl_applied_once_is_taken_over_and_goes_with_its_manifest(cluster: Cluster) -> None:
    metadata = {"namespace": cluster.platform.home}
    ports = [{"name": "http", "port": 8080}, {"name": "debug", "port": 9090}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", **metadata}}
    kubectl_applies(cluster, "services", {**service, "spec": {"selector": {"app": "web"}, "ports": ports}})
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra", **metadata}}
    kubectl_applies(cluster, "configmaps", {**config, "data": {"a": "other", "legacy": "on"}})

    def change(objects: list[dict[str, Any]]) -> None:
        by(objects, "Service")["spec"]["ports"] = ports
        by(objects, "ConfigMap")["data"]["legacy"] = "on"

    cluster.platform.change = change
    plan = cluster.plan()
    assert changes(plan)["extra"].note == "what kubectl applied becomes this deploy's"
    assert [str(d) for d in changes(plan)["extra"].differences if d.path.startswith("data")] == ["~ data.a: other → 1"]
    cluster.execute(plan)
    assert cluster.plan().empty
    live = cluster.get("ConfigMap", "extra")
    assert live is not None and live["data"] == {"a": "1", "legacy": "on"}
    assert [(m["manager"], m["operation"]) for m in live["metadata"]["managedFields"]] == [("nextai-deploy", "Apply")]
    assert "annotations" not in live["metadata"]

    cluster.platform.change = lambda objects: by(objects, "Service")["spec"].update(ports=ports[:1])
    cluster.deploy()
    assert data(cluster, "extra") == {"a": "1"}
    found = cluster.get("Service", "web")
    assert found is not None and [p["port"] for p in found["spec"]["ports"]] == [8080]
    assert cluster.plan().empty


def test_a_plan_over_what_kubectl_applied_shows_just_what_the_apply_then_does(cluster: Cluster) -> None:
    """Also for objects of ours that kubectl applied to in between: what no manifest has goes."""
    cluster.deploy()
    web = cluster.web()
    containers = web["spec"]["template"]["spec"]["containers"]
    more = [{"name": "web", "env": [{"name": "LEFT", "value": "1"}], "ports": [{"containerPort": 9090}]}]
    patch: Any = {
        "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "left": "1"}},
        "spec": {"template": {"spec": {"containers": more}}},
    }
    query = {"fieldManager": "kubectl-client-side-apply"}
    kind = "application/strategic-merge-patch+json"
    place = f"/apis/apps/v1/namespaces/{cluster.platform.home}/deployments/web"
    cluster.client.request("PATCH", place, query, body=patch, content_type=kind)
    assert "LEFT" in json.dumps(cluster.web()["spec"])

    plan = cluster.plan()

    promised = [str(d) for d in changes(plan)["web"].differences]
    assert any("LEFT" in line for line in promised) and any("ports" in line for line in promised)
    assert any(line.startswith("- metadata.annotations") for line in promised)
    cluster.execute(plan)
    live = cluster.web()
    assert live["spec"]["template"]["spec"]["containers"] == containers
    assert "left" not in live["metadata"]["annotations"]
    assert cluster.plan().empty


def test_what_a_finalizer_holds_is_not_said_to_be_deleted_and_the_next_plan_shows_it(cluster: Cluster) -> None:
    cluster.deploy()
    held: Any = {"metadata": {"finalizers": ["t.example/never"]}}
    cluster.client.request("PATCH", path(cluster, "configmaps", "extra"), body=held, content_type=MERGE)
    only = f"/apis/autoscaling/v2/namespaces/{cluster.platform.home}/horizontalpodautoscalers/web"  # of its kind there is no other
    cluster.client.request("PATCH", only, body=held, content_type=MERGE)
    cluster.platform.extra = False
    cluster.platform.change = lambda objects: objects.remove(by(objects, "HorizontalPodAutoscaler"))
    try:
        cluster.deploy()
        last = {n.key.kind: (n.state, n.text) for n in cluster.notices if n.key.kind in ("ConfigMap", "HorizontalPodAutoscaler")}
        why = "it was deleted, and is still there: its finalizer t.example/never holds it"
        assert last == {"ConfigMap": ("waiting", why), "HorizontalPodAutoscaler": ("waiting", why)}
        for _ in range(2):
            plan = cluster.plan()
            assert plan.changes == ()
            assert f"! ConfigMap {cluster.platform.home}/extra: {why}" in shown(plan)
            assert f"! HorizontalPodAutoscaler {cluster.platform.home}/web: {why}" in shown(plan)
            cluster.platform.config = {"GREETING": "later"}
            cluster.deploy()
    finally:
        free: Any = {"metadata": {"finalizers": []}}
        cluster.client.request("PATCH", path(cluster, "configmaps", "extra"), body=free, content_type=MERGE)
        cluster.client.request("PATCH", only, body=free, content_type=MERGE)
    assert "is still there" not in shown(cluster.plan())


def test_what_the_api_server_changes_at_each_request_is_told_apart_and_makes_no_deploy(cluster: Cluster) -> None:
    home, api = cluster.platform.home, "/apis/admissionregistration.k8s.io/v1"
    name = cluster.platform.name
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
    count = 'string(oldObject == null || !("n" in oldObject.data) ? 1 : int(oldObject.data.n) + 1)'
    patch = f'[JSONPatch{{op: "add", path: "/data/a", value: "mutated"}}, JSONPatch{{op: "add", path: "/data/n", value: {count}}}]'
    spec = {
        "matchConstraints": {
            "resourceRules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": home}},
        },
        "matchConditions": [{"name": "extra", "expression": "object.metadata.name == 'extra'"}],
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
    }
    body: Any = {"metadata": {"name": name}, "spec": spec}
    binding: Any = {"metadata": {"name": name}, "spec": {"policyName": name}}
    try:
        cluster.client.request("POST", f"{api}/mutatingadmissionpolicies", body=body)
        cluster.client.request("POST", f"{api}/mutatingadmissionpolicybindings", body=binding)
        deadline = time.monotonic() + 60
        while not mutates(cluster):
            assert time.monotonic() < deadline, "the policy is not in force"
            time.sleep(0.2)
        cluster.deploy()
        assert data(cluster, "extra") == {"a": "mutated", "n": "1"}

        plan = cluster.plan()
        assert [str(d) for d in changes(plan)["extra"].differences] == ["~ data.n: 1 → 2"]
        assert changes(plan)["extra"].note.startswith("the API server changes data.n itself")
        cluster.execute(plan)

        for _ in range(2):  # from then on it is known
            plan = cluster.plan()
            assert "extra" not in changes(plan)
            assert f"! ConfigMap {home}/extra: the API server changes data.n at each request" in shown(plan)
            cluster.platform.config = {"GREETING": "another"}
            cluster.deploy()
        assert cluster.plan().empty
        cluster.platform.change = lambda objects: by(objects, "ConfigMap")["data"].update(b="2")
        assert any(d.path == "data.b" for d in changes(cluster.plan())["extra"].differences)
    finally:
        write.delete(cluster.client, f"{api}/mutatingadmissionpolicybindings/{name}")
        write.delete(cluster.client, f"{api}/mutatingadmissionpolicies/{name}")


def mutates(cluster: Cluster) -> bool:
    """Whether the policy is in force: the API server reads new ones some time after they are made."""
    tried: Any = {"metadata": {"name": "extra"}, "data": {"a": "1"}}
    answer: Any = cluster.client.request("POST", path(cluster, "configmaps"), {"dryRun": "All"}, body=tried)
    return bool(answer["data"]["a"] == "mutated")
