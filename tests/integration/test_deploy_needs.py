"""What a deploy would only find while it runs is in the plan: on a real API server, all at once."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.cluster import show
from ops.cluster.applying import apply
from ops.cluster.plan import Plan
from ops.cluster.scale import plan_scale
from ops.kube import write
from ops.kube.client import Client
from ops.kube.connect import connect
from tests.integration.cluster import Cluster

NAME = "registry.nextai-agent.com/nextai/ct-store"


def shown(plan: Plan) -> str:
    return "\n".join(show.plan_lines(plan, "TARGET"))


def added(cluster: Cluster, *more: dict[str, Any]) -> Callable[[list[dict[str, Any]]], None]:
    """Objects beside the platform's own, in its namespace."""

    def change(objects: list[dict[str, Any]]) -> None:
        for manifest in json.loads(json.dumps(more)):
            manifest["metadata"].setdefault("namespace", cluster.platform.home)
            objects.append(manifest)

    return change


def deployment(cluster: Cluster, name: str, container: dict[str, Any] | None = None, **pod: Any) -> dict[str, Any]:
    main = {"name": "main", "image": cluster.platform.store_image, **(container or {})}
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [main], **pod}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def thing(version: str, kind: str, name: str, **body: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **body}


def test_what_is_missing_is_in_the_plan_all_at_once(cluster: Cluster) -> None:
    read_key = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "extra", "key": "B"}}}
    optional = {"configMapRef": {"name": "may-be-there", "optional": True}}
    scaler = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ap"}, "minReplicas": 1, "maxReplicas": 2}
    resources = {"requests": {"storage": "1Gi"}}
    claim = {"storageClassName": "no-such-class", "accessModes": ["ReadWriteOnce"], "resources": resources}
    backend = {"service": {"name": "gone", "port": {"number": 80}}}
    other = {"service": {"name": "web", "port": {"number": 81}}}
    paths = [{"path": path, "pathType": "Prefix", "backend": b} for path, b in (("/", backend), ("/web", other))]
    elsewhere = thing("v1", "ConfigMap", "lost")
    elsewhere["metadata"]["namespace"] = f"{cluster.platform.name}-nowhere"
    cluster.platform.change = added(
        cluster,
        deployment(cluster, "by-name", {"envFrom": [{"configMapRef": {"name": "no-such"}}, optional]}),
        deployment(cluster, "by-key", {"env": [read_key]}),
        deployment(cluster, "by-volume", volumes=[{"name": "v", "configMap": {"name": "no-such"}}]),
        deployment(cluster, "nobody", serviceAccountName="no-account", imagePullSecrets=[{"name": "login"}]),
        deployment(cluster, "first", priorityClassName="no-such-priority"),
        deployment(cluster, "claims", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "no-claim"}}]),
        deployment(cluster, "system", priorityClassName="system-cluster-critical"),
        deployment(cluster, "root", volumes=[{"name": "v", "configMap": {"name": "kube-root-ca.crt"}}]),
        thing("autoscaling/v2", "HorizontalPodAutoscaler", "scaler", spec=scaler),
        thing("v1", "PersistentVolumeClaim", "claim", spec=claim),
        thing("v1", "PersistentVolumeClaim", "good", spec={**claim, "storageClassName": "standard"}),
        thing("v1", "Service", "idle", spec={"selector": {"app": "nothing"}, "ports": [{"port": 80}]}),
        thing("networking.k8s.io/v1", "Ingress", "front", spec={"rules": [{"http": {"paths": paths}}]}),
        elsewhere,
    )

    plan = cluster.plan()

    home = cluster.platform.home
    assert sorted(plan.problems) == sorted(
        [
            f"Namespace {cluster.platform.name}-nowhere is missing, and no manifest has it: ConfigMap {cluster.platform.name}-nowhere/lost",
            f"ConfigMap {home}/no-such is missing: Deployment {home}/by-name, Deployment {home}/by-volume: its pods cannot start",
            f"ConfigMap {home}/extra, key B, is missing: Deployment {home}/by-key: its pods cannot start",
            f"ServiceAccount {home}/no-account is missing: Deployment {home}/nobody: no pod of it can be made",
            f"PriorityClass no-such-priority is missing: Deployment {home}/first: no pod of it can be made",
            f"PersistentVolumeClaim {home}/no-claim is missing: Deployment {home}/claims: its pods cannot be placed",
            f"Deployment {home}/ap is missing: HorizontalPodAutoscaler {home}/scaler: it has nothing to scale",
            f"StorageClass no-such-class is missing: PersistentVolumeClaim {home}/claim: its claim gets no volume",
        ]
    )
    assert sorted(w for w in plan.warnings if "readinessProbe" not in w) == sorted(
        [
            f"Secret {home}/login is missing: Deployment {home}/nobody: nodes need credentials of their own for the registry",
            f"Service {home}/idle selects nothing: no pod has app=nothing",
            f"Service {home}/gone, port 80, is missing: Ingress {home}/front: its requests are answered with an error",
            f"Service {home}/web, port 81, is missing: Ingress {home}/front: its requests are answered with an error",
        ]
    )


def test_what_this_very_plan_deletes_is_missing_to_who_still_reads_it(cluster: Cluster) -> None:
    reader = {"envFrom": [{"configMapRef": {"name": "extra"}}]}
    cluster.platform.change = lambda objects: objects.append(
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly", "namespace": cluster.platform.home}}
        | {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": _pod(cluster, reader)}}}}
    )
    cluster.deploy()
    cluster.platform.extra = False
    problems = cluster.plan().problems
    home = cluster.platform.home
    assert problems == (f"ConfigMap {home}/extra is deleted by this plan: CronJob {home}/nightly: its pods cannot start",)


def _pod(cluster: Cluster, container: dict[str, Any]) -> dict[str, Any]:
    main = {"name": "main", "image": cluster.platform.store_image, "args": ["once"], **container}
    return {"spec": {"restartPolicy": "Never", "containers": [main]}}


def test_a_right_that_is_missing_is_in_the_plan(cluster: Cluster, tmp_path: Path) -> None:
    cluster.deploy()
    home = cluster.platform.home
    everything: dict[str, Any] = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch", "create", "patch"]}
    role, rbac = cluster.platform.name, "/apis/rbac.authorization.k8s.io/v1"
    account: dict[str, Any] = {"kind": "ServiceAccount", "name": "limited", "namespace": home}
    cluster.client.request("POST", f"/api/v1/namespaces/{home}/serviceaccounts", body={"metadata": {"name": "limited"}})
    cluster.client.request("POST", f"{rbac}/clusterroles", body={"metadata": {"name": role}, "rules": [everything]})
    binding: Any = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [account],
    }
    try:
        cluster.client.request("POST", f"{rbac}/clusterrolebindings", body=binding)
        path = f"/api/v1/namespaces/{home}/serviceaccounts/limited/token"
        answer: Any = cluster.client.request("POST", path, body={"spec": {"expirationSeconds": 600}})
        kubeconfig = tmp_path / "limited"
        kubeconfig.write_text(_with_token(cluster, answer["status"]["token"]))
        with connect(replace(cluster.target, kubeconfig=kubeconfig)) as client:
            limited = Cluster(cluster.target, client, cluster.platform)
            assert limited.plan().empty and limited.plan().problems == ()
            cluster.platform.extra = False
            problems = limited.plan().problems
        assert problems == (
            f"this account may not update leases in {home}: ask for that right",
            f"this account may not delete ConfigMap {home}/extra: ask for that right",
        )
        assert cluster.plan().problems == ()
    finally:
        write.delete(cluster.client, f"{rbac}/clusterrolebindings/{role}")
        write.delete(cluster.client, f"{rbac}/clusterroles/{role}")


def _with_token(cluster: Cluster, token: str) -> str:
    import yaml

    assert cluster.target.kubeconfig is not None
    document = yaml.safe_load(cluster.target.kubeconfig.read_text())
    for user in document["users"]:
        user["user"] = {"token": token}
    return json.dumps(document)


def test_a_field_that_cannot_be_changed_says_what_to_do_and_what_is_lost(cluster: Cluster) -> None:
    resources = {"requests": {"storage": "1Gi"}}
    claim = {"storageClassName": "no-such-class", "accessModes": ["ReadWriteOnce"], "resources": resources}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role"}
    home, data = cluster.platform.home, cluster.platform.data
    group = "rbac.authorization.k8s.io/v1"
    roles = [thing(group, "Role", name, rules=[]) for name in ("one", "two")]
    fixed = thing("v1", "ConfigMap", "fixed", immutable=True, data={"a": "1"})
    binding = thing(group, "RoleBinding", "reader", roleRef={**role, "name": "one"}, subjects=[])
    cluster.platform.change = added(cluster, *roles, fixed, binding)
    cluster.deploy()
    pending = thing("v1", "PersistentVolumeClaim", "claim", spec=claim)  # as a deploy leaves it that failed
    pending["metadata"]["namespace"] = home
    apply(cluster.client, cluster.client.resource_of(pending), pending)

    def change(objects: list[dict[str, Any]]) -> None:
        added(
            cluster,
            *roles,
            {**fixed, "data": {"a": "2"}},
            {**binding, "roleRef": {**role, "name": "two"}},
            thing("v1", "PersistentVolumeClaim", "claim", spec={**claim, "storageClassName": "standard"}),
        )(objects)
        found = {(o["kind"], o["metadata"]["name"]): o["spec"] for o in objects if "spec" in o}
        found["StatefulSet", "store"].update(serviceName="other", podManagementPolicy="Parallel")
        found["Service", "web"].update(clusterIP="10.0.0.250")
        for where in (found["Deployment", "web"]["selector"]["matchLabels"], found["Deployment", "web"]["template"]["metadata"]["labels"]):
            where["track"] = "a"

    cluster.platform.change = change
    problems = {p.partition(":")[0]: p for p in cluster.plan().problems}

    def delete(what: str, namespace: str = home, more: str = "") -> str:
        return f"`kubectl --namespace={namespace} delete {what}{more}`"

    expected = {
        f"StatefulSet {data}/store": (
            "the manifest changes podManagementPolicy, serviceName; "
            f"{delete('statefulset/store', data, ' --cascade=orphan')} makes room: its pods run on"
        ),
        f"Service {home}/web": f"leave it out of the manifest, or make room with {delete('service/web')}: its address changes",
        f"Deployment {home}/web": f"spec.selector cannot be changed once it is there; {delete('deployment/web')} makes room: its pods end",
        f"PersistentVolumeClaim {home}/claim": f"never had a volume, so nothing is lost by {delete('persistentvolumeclaim/claim')}; then",
        f"ConfigMap {home}/fixed": "data cannot be changed once it is there; give it another name",
        f"RoleBinding {home}/reader": f"roleRef cannot be changed once it is there; {delete('rolebinding/reader')} makes room",
    }
    assert problems.keys() == expected.keys()
    for key, words in expected.items():
        assert words in problems[key]
        assert "\n" not in problems[key]


def test_more_than_one_of_a_store_is_warned_of(cluster: Cluster) -> None:
    cluster.deploy()
    catalog = cluster.platform.catalog()
    two = plan_scale(catalog, cluster.client, "store", least=2)
    assert [w for w in two.warnings if "store is one server without replication: 2 pods" in w]
    assert plan_scale(catalog, cluster.client, "store", least=1).warnings == ()
    assert plan_scale(catalog, cluster.client, "web", least=2).warnings == ()


def test_what_the_api_server_warns_of_is_in_the_plan_once_with_its_objects(cluster: Cluster) -> None:
    cluster.deploy()
    home = cluster.platform.home
    labels: Any = {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}}
    cluster.client.request("PATCH", f"/api/v1/namespaces/{home}", body=labels, content_type="application/merge-patch+json")
    old = [thing("v1", "Endpoints", name, subsets=[]) for name in ("one", "two")]
    cluster.platform.change = added(cluster, *old, deployment(cluster, "rooted", hostNetwork=True))

    lines = shown(cluster.plan()).splitlines()

    assert [line for line in lines if "v1 Endpoints is deprecated" in line] == [
        f"! Endpoints {home}/one, Endpoints {home}/two: the API server warns: v1 Endpoints is deprecated in v1.33+; "
        "use discovery.k8s.io/v1 EndpointSlice"
    ]
    security = [line for line in lines if "would violate PodSecurity" in line and "hostNetwork=true" in line]
    assert [line.partition(": the API server warns: ")[0] for line in security] == [f"! Deployment {home}/rooted"]
    cluster.platform.change = lambda objects: None
    assert "hostNetwork" not in shown(cluster.plan()) and "Endpoints" not in shown(cluster.plan())


def test_what_it_warned_of_is_in_each_later_plan_and_costs_no_request(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    home = cluster.platform.home
    old = [thing("v1", "Endpoints", name) for name in ("one", "two")]
    cluster.platform.change = added(cluster, *old)
    cluster.deploy()
    asked: list[str] = []
    request = Client.request

    def counted(client: Client, method: str, path: str, *arguments: Any, **more: Any) -> Any:
        asked.append(f"{method} {path}")
        return request(client, method, path, *arguments, **more)

    monkeypatch.setattr(Client, "request", counted)
    for _ in range(2):  # the second one has a record that changed something else in between
        plan = cluster.plan()
        assert [w for w in plan.warnings if "Endpoints" in w] == [
            f"Endpoints {home}/one, Endpoints {home}/two: the API server warned when it was applied: v1 Endpoints is deprecated in v1.33+; "
            "use discovery.k8s.io/v1 EndpointSlice"
        ]
        assert [one for one in asked if "/endpoints" in one and not one.startswith("GET ")] == []
        cluster.platform.config = {**cluster.platform.config, "GREETING": "another"}
        cluster.deploy()
        asked.clear()
