"""What a store is to hold, and in which form it runs, is its kind's to allow: nothing is accepted that would do nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import catalog, stores
from ops.catalog import Catalog
from ops.catalog.model import Resources
from ops.config import local as config
from ops.errors import UsageError
from ops.local import composefile, plan
from ops.local.state import State, opened
from ops.manifests import overlays
from ops.manifests.stores import of_store
from ops.secret import Secret
from tests.unit.small_catalogue import GOOD, checkout, mistakes

# A kind of store from outside the tree: it makes its topics as it starts, and knows how to be several.
BROKER = """
from ops.catalog.model import Resources
from ops.stores.model import Check, Compose, Folder, Pod, StoreKind

def _replicated(store):
    nodes = {"name": "NODES", "value": ",".join(f"{store.name}-{n}" for n in range(3))}
    return {"replicas": 3, "template": {"spec": {"containers": [{"name": store.name, "env": [nodes]}]}}}

STORE = StoreKind(
    title="Broker",
    component="queue",
    url=lambda access: f"broker://{access.host}:{access.port}",
    check=lambda access: Check(("broker", "ping", *access.contents.topics)),
    settings=lambda access: {"TOPICS": ",".join(access.contents.topics)},
    compose=Compose({"user": "7:7"}),
    pod=Pod(user=7, group=7, volume_group=7, storage="1Gi", resources=Resources({"cpu": "1"}, {"memory": "1Gi"}),
            folders=(Folder("tmp", "/tmp", "4Mi"),), command=lambda store: ("broker", *store.contents.topics)),
    holds=frozenset({"topics"}),
    replicated=_replicated,
)
"""
DB = 'db: {image: "postgres:17", port: 5432, localPort: 15432, namespace: n, data: /data}'


def with_store(more: str) -> str:
    assert DB in GOOD
    return GOOD.replace(DB, DB.replace("data: /data", f"data: /data, {more}"))


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "broker.py").write_text(BROKER)
    monkeypatch.setattr(stores, "__path__", [*stores.__path__, str(tmp_path / "kinds")])
    yield
    shutil.rmtree(tmp_path / "kinds")


def loaded(folder: Path, more: str) -> Catalog:
    return catalog.load(checkout(folder, with_store(more)))


def test_a_store_is_of_the_kind_that_it_names_or_of_its_own_name(tmp_path: Path) -> None:
    assert catalog.load(checkout(tmp_path, GOOD)).stores["db"].kind == "db"
    known = loaded(tmp_path, "kind: redis")
    assert stores.of(known.stores["db"]).title == "Redis"
    setting = config.Setting(config.in_cluster(known), {}, {}, "")
    assert config.derived(known, setting)["DB_URL"].reveal() == "redis://db.n:5432"
    assert plan.wanted_stores(known, setting)[0].kind == "redis"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("kind: redis, topics: [a]", "platform.yaml:12: stores.db.topics: Redis has no topics"),
        ("kind: redis, queues: [a]", "platform.yaml:12: stores.db.queues: Redis has no queues"),
        ("kind: postgres, buckets: [aaa]", "platform.yaml:12: stores.db.buckets: PostgreSQL has no buckets"),
        ("kind: milvus, profile: {staging: replicated}", "platform.yaml:12: stores.db.profile.staging: Milvus has no replicated form yet"),
        ("kind: broker, queues: [a]", "platform.yaml:12: stores.db.queues: Broker has no queues"),
        (
            "kind: redis, resources: {staging: {requests: {memory: 1Gi}}}",
            "platform.yaml:12: stores.db.resources.staging: it requests 1Gi of memory, more than its limit of 512Mi",
        ),
        ("kind: oracle", "there is no ops/stores/oracle.py"),
    ],
)
def test_what_a_kind_has_not_is_refused_with_its_line(broker: None, tmp_path: Path, more: str, told: str) -> None:
    with pytest.raises(UsageError) as refusal:
        stores.of(loaded(tmp_path, more).stores["db"])
    assert told in refusal.value.cause
    with pytest.raises(UsageError):  # so whatever uses the store refuses it: `sync` and its check, `up`
        overlays.component(loaded(tmp_path, more), loaded(tmp_path, more).environments["staging"])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("topics: [a, b, a]", "platform.yaml:12: stores.db.topics: a is here twice"),
        ("topics: ['a b']", "stores.db.topics.0: expected a name of letters, digits and . _ -, not 'a b'"),
        ("buckets: [A]", "stores.db.buckets.0: expected a name of 3 to 63 lower-case letters"),
        ("profile: {nowhere: replicated}", "stores.db.profile.nowhere: 'nowhere' is no environment with a cluster"),
        ("profile: {local: single}", "stores.db.profile.local: 'local' is no environment with a cluster"),
        ("profile: {staging: double}", "expected one of single, replicated"),
        ("storage: {local: 1Gi}", "stores.db.storage.local: 'local' is no environment with a cluster"),
        ("resources: {nowhere: {limits: {cpu: '1'}}}", "stores.db.resources.nowhere: 'nowhere' is no environment with a cluster"),
        ("storage: {staging: 10 GB}", "stores.db.storage.staging: expected a whole number of Mi or Gi, such as 512Mi, not '10 GB'"),
        ("resources: {staging: {limits: {cpu: 1.5}}}", "stores.db.resources.staging.limits.cpu"),
    ],
)
def test_a_wrong_entry_is_told_with_its_line(tmp_path: Path, more: str, told: str) -> None:
    found = mistakes(tmp_path, with_store(more))
    assert told in found and "\n" not in found


def test_topics_reach_the_container_the_pod_and_the_process(broker: None, tmp_path: Path) -> None:
    known = loaded(tmp_path, "kind: broker, topics: [runs, mails]")
    home = opened(State(tmp_path / "state"))
    secrets = {name: Secret("x" * 40) for name in config.generated(known)}
    setting = config.Setting(config.in_containers(known), secrets, {}, "127.0.0.1")
    composefile.write(known, home, dict.fromkeys(known.images, "image"), setting)
    assert "TOPICS=runs,mails" in (composefile.folder(home) / "db.env").read_text()
    services = composefile.document(known, home, dict.fromkeys(known.images, "image"))["services"]
    assert services["db"]["healthcheck"]["test"] == ["CMD", "broker", "ping", "runs", "mails"]  # type: ignore[index]
    (workload,) = [o for o in of_store(known, known.stores["db"]) if o["kind"] == "StatefulSet"]
    template: Any = workload["spec"]
    (container,) = template["template"]["spec"]["containers"]
    assert container["command"] == ["broker", "runs", "mails"]
    assert {"name": "TOPICS", "value": "runs,mails"} in container["env"]
    (wanted,) = plan.wanted_stores(known, setting)
    assert wanted.access.contents.topics == ("runs", "mails")


def test_a_replicated_store_is_patched_in_its_environment_alone(broker: None, tmp_path: Path) -> None:
    plain, known = loaded(tmp_path, "kind: broker"), loaded(tmp_path, "kind: broker, profile: {staging: replicated}")

    def patches(of: Catalog) -> list[dict[str, object]]:
        made: dict[str, object] = overlays.component(of, of.environments["staging"])  # type: ignore[assignment]
        found = [p for p in made["patches"] if p["target"]["kind"] == "StatefulSet"]  # type: ignore[attr-defined]
        return [yaml.safe_load(p["patch"]) for p in found]

    assert patches(plain) == []
    (patch,) = patches(known)
    assert patch["metadata"] == {"name": "db", "namespace": "n"}
    spec = patch["spec"]
    assert isinstance(spec, dict) and spec["replicas"] == 3
    (container,) = spec["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "NODES", "value": "db-0,db-1,db-2"}]


def test_a_store_has_its_own_sizes_in_an_environment_and_its_kinds_elsewhere(tmp_path: Path) -> None:
    more = "storage: {staging: 7Gi}, resources: {staging: {requests: {cpu: 150m}, limits: {memory: 3Gi}}}"
    known = loaded(tmp_path, f"kind: postgres, {more}")
    assert stores.resources(known.stores["db"], "staging") == Resources({"cpu": "150m", "memory": "512Mi"}, {"cpu": "2", "memory": "3Gi"})
    assert stores.resources(known.stores["db"], "production") == stores.kind_of("postgres").pod.resources
    made: dict[str, Any] = overlays.component(known, known.environments["staging"])
    (patch,) = [p for p in made["patches"] if p["target"]["kind"] == "StatefulSet"]
    assert patch["target"]["name"] == "db"
    workload: Any = next(o for o in of_store(known, known.stores["db"]) if o["kind"] == "StatefulSet")
    places = []
    for operation in yaml.safe_load(patch["patch"]):
        there = workload
        for part in operation["path"].split("/")[1:]:
            there = there[int(part) if part.isdigit() else part]
        places.append((there, operation["value"]))
    asked = {"requests": {"cpu": "150m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "3Gi"}}
    assert places == [(workload["spec"]["template"]["spec"]["containers"][0]["resources"], asked), ("10Gi", "7Gi")]
