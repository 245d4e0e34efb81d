"""Deploys of a small platform on a real cluster: what is promised when they go well, and when they are not needed."""

import json
import os
from typing import Any

import pytest

from ops.cluster import record
from ops.cluster.planfile import from_document, to_document
from ops.cluster.prepare import plan_deploy
from ops.cluster.rollback import plan_rollback
from ops.cluster.scale import plan_scale
from ops.errors import Refused
from ops.kube import write
from ops.kube.objects import Key, Object
from ops.manifests.render import render
from tests.integration import audit
from tests.integration.cluster import Cluster


def test_a_deploy_makes_everything_in_order_and_a_second_one_writes_nothing(cluster: Cluster, testbed: Any) -> None:
    result = cluster.deploy()

    assert result.state == "done"
    ready = [str(n.key.kind) for n in cluster.notices if n.state == "ready"]
    assert ready == ["StatefulSet", "Job", "Deployment", "HorizontalPodAutoscaler"]
    assert [h.outcome for h in cluster.history()] == ["good"]
    namespaces = (cluster.platform.home, cluster.platform.data)
    before, audited = cluster.everything(), audit.writes(testbed, *namespaces)
    assert audited > 0 or testbed.audit_log is None
    plan = cluster.plan()
    assert plan.changes == ()
    assert cluster.execute(plan).state == "nothing"
    assert cluster.everything() == before
    assert audit.writes(testbed, *namespaces) == audited


def test_a_first_deploy_to_an_empty_cluster_is_planned_without_making_anything(cluster: Cluster) -> None:
    cluster.platform.name = cluster.platform.name + "x"
    plan = cluster.plan()
    assert {s.action for s in plan.steps} == {"create"}
    assert cluster.get("Namespace", cluster.platform.home) is None
    assert any("web-secrets" in p for p in plan.problems)
    with pytest.raises(Refused, match="web-secrets is missing"):
        cluster.execute(plan)
    assert cluster.get("Namespace", cluster.platform.home) is None


def test_a_secret_that_nobody_sealed_is_made_up_by_the_plan_and_stays_as_it_is(cluster: Cluster) -> None:
    home, catalog = cluster.platform.home, cluster.platform.catalog()
    write.delete(cluster.client, f"/api/v1/namespaces/{home}/secrets/web-secrets")
    cluster.platform.write()
    rendered = render(catalog, cluster.target.environment, cluster.platform.digests)

    def made_up(value: str) -> list[Object]:
        metadata: Object = {"name": "web-secrets", "namespace": home}
        return [{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"TOKEN": value}}]

    assert plan_deploy(catalog, cluster.client, rendered).problems
    plan = plan_deploy(catalog, cluster.client, rendered, made_up=made_up("YWJj"))
    assert (plan.problems, cluster.get("Secret", "web-secrets")) == ((), None)
    cluster.execute(plan)
    again = plan_deploy(catalog, cluster.client, rendered, made_up=made_up("eHl6"))
    assert again.empty, again.changes
    secret = cluster.get("Secret", "web-secrets")
    assert secret is not None and secret["data"] == {"TOKEN": "YWJj"}


def test_a_mistake_in_a_manifest_is_found_by_the_plan_even_where_the_namespace_is_missing(cluster: Cluster) -> None:
    cluster.platform.name = cluster.platform.name + "x"
    folder = cluster.platform.write()
    text = (
        (folder / "objects.json")
        .read_text()
        .replace('"targetPort"', '"port"')
        .replace('"ports": [{"port": 8080}]', '"ports": [{"prot": 8080}]')
    )
    (folder / "objects.json").write_text(text)
    catalog = cluster.platform.catalog()
    rendered = render(catalog, cluster.target.environment, cluster.platform.digests)
    plan = plan_deploy(catalog, cluster.client, rendered)
    assert any("prot" in p for p in plan.problems), plan.problems


def test_a_rollback_brings_back_digest_configuration_and_removed_objects(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}
    cluster.platform.config = {"GREETING": "bye"}
    cluster.platform.extra = False
    plan = cluster.plan()
    assert {(s.key.kind, s.action) for s in plan.changes} == {("ConfigMap", "create"), ("ConfigMap", "delete"), ("Deployment", "change")}
    cluster.execute(plan)
    assert cluster.image().endswith(digests["two"])
    assert cluster.greeting() == "bye"
    assert cluster.get("ConfigMap", "extra") is None

    cluster.execute(plan_rollback(cluster.platform.catalog(), cluster.client))

    assert cluster.image().endswith(digests["one"])
    assert cluster.greeting() == "hello"
    assert cluster.get("ConfigMap", "extra") is not None
    assert [(h.kind, h.outcome) for h in cluster.history()] == [("deploy", "good"), ("deploy", "good"), ("rollback", "good")]
    assert cluster.web()["status"]["readyReplicas"] == 1


def test_a_stale_plan_is_refused_and_shows_what_moved(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}
    plan = from_document(json.loads(json.dumps(to_document(cluster.plan()))))
    path = f"/api/v1/namespaces/{cluster.platform.home}/configmaps/extra"
    cluster.client.request("PATCH", path, body={"data": {"a": "2"}}, content_type="application/merge-patch+json")

    with pytest.raises(Refused) as refused:
        cluster.execute(plan)

    assert "ConfigMap" in refused.value.cause
    assert "data.a: 1 → 2" in refused.value.cause
    assert cluster.image().endswith(digests["one"])
    assert len(cluster.history()) == 1


def test_a_field_that_someone_else_has_set_is_taken_back_and_the_plan_says_so(cluster: Cluster) -> None:
    cluster.deploy()
    path = f"/api/v1/namespaces/{cluster.platform.home}/configmaps/extra"
    query = {"fieldManager": "someone"}
    cluster.client.request("PATCH", path, query, body={"data": {"a": "2", "b": "theirs"}}, content_type="application/merge-patch+json")

    plan = cluster.plan()

    assert [(str(s.key.name), s.note) for s in plan.changes] == [("extra", "takes .data.a back from someone")]
    cluster.execute(plan)
    config = cluster.get("ConfigMap", "extra")
    assert config is not None
    assert config["data"] == {"a": "1", "b": "theirs"}


def test_a_field_that_was_never_ours_is_not_taken(cluster: Cluster) -> None:
    body: Any = {"metadata": {"name": "extra"}, "data": {"a": "theirs"}}
    cluster.client.request("POST", f"/api/v1/namespaces/{cluster.platform.home}/configmaps", {"fieldManager": "someone"}, body=body)
    plan = cluster.plan()
    assert any(".data.a (owned by someone)" in p for p in plan.problems), plan.problems


def test_a_changed_secret_restarts_what_reads_it(cluster: Cluster) -> None:
    cluster.deploy()
    path = f"/api/v1/namespaces/{cluster.platform.home}/secrets/web-secrets"
    cluster.client.request("PATCH", path, body={"stringData": {"TOKEN": "other-token"}}, content_type="application/merge-patch+json")
    plan = cluster.plan()
    assert [s.key.kind for s in plan.changes] == ["Deployment"]
    assert "other-token" not in json.dumps(to_document(plan))
    cluster.execute(plan)
    assert cluster.plan().changes == ()


def test_a_release_that_changes_nothing_is_in_the_history_once(cluster: Cluster) -> None:
    cluster.deploy()
    before = cluster.everything()
    for _ in range(2):
        cluster.execute(cluster.plan(version="v1.2.0"))
    assert [(h.version, h.outcome) for h in cluster.history()] == [("", "good"), ("v1.2.0", "good")]
    now = cluster.everything()
    assert {name.split()[0] for name in now if now[name] != before.get(name)} == {"Secret"}  # the record


def test_scaling_moves_the_autoscalers_bounds_waits_for_the_pods_and_the_next_deploy_shows_it(cluster: Cluster) -> None:
    cluster.deploy()
    plan = plan_scale(cluster.platform.catalog(), cluster.client, "web", least=2, most=4)
    assert [s.key.kind for s in plan.changes] == ["HorizontalPodAutoscaler"]
    cluster.execute(plan)
    assert cluster.web()["status"]["availableReplicas"] == 2
    autoscaler = cluster.get("HorizontalPodAutoscaler", "web", group="autoscaling")
    assert autoscaler is not None
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (2, 4)
    assert [h.kind for h in cluster.history()] == ["deploy", "scale"]
    shown = [str(d) for s in cluster.plan().changes for d in s.differences]
    assert shown == ["~ spec.maxReplicas: 4 → 3", "~ spec.minReplicas: 2 → 1"]


def test_records_are_split_kept_ten_and_never_hold_a_secrets_value(cluster: Cluster) -> None:
    cluster.deploy()
    home = cluster.platform.home
    big: Any = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"x": os.urandom(1_500_000).hex()}}
    secret: Any = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"PASSWORD": "hunter2hunter2"}}
    header = record.Header(2, "deploy", "staging", "me", "", "2026-01-01T00:00:00Z", outcome="failed")
    written = record.write(cluster.client, home, record.Record(header, (big, secret)))
    assert written.parts > 1
    read = record.load(cluster.client, home, cluster.history()[-1])
    assert read.objects[0] == big
    assert "hunter2" not in json.dumps(read.objects)
    for number in range(3, 15):
        record.write(cluster.client, home, record.Record(record.Header(number, "deploy", "staging", "me", "", "", outcome="failed"), ()))
    cluster.platform.config = {"GREETING": "again"}
    cluster.deploy()
    numbers = [h.number for h in cluster.history()]
    assert numbers == [1, *range(6, 16)]
    secrets = cluster.client.find(cluster.client.by_key(Key("Secret", "", "")), home)  # type: ignore[arg-type]
    assert not [s for s in secrets if "nextai-record-000002" in str(s["metadata"])]
