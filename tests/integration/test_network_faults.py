"""One request in five fails, by a seed: every verb still ends right. All fail: the message names who failed."""

import time
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from ops.cluster import logs
from ops.cluster.lock import held, hold
from ops.cluster.loglines import LogSelection
from ops.cluster.rollback import plan_rollback
from ops.cluster.scale import plan_scale
from ops.cluster.status import status
from ops.cluster.target import Target
from ops.errors import Exit, Failure
from ops.kube import client as room
from ops.kube.client import Unavailable
from ops.kube.connect import connect
from ops.kube.kubectl import forward
from ops.retry import Policy, Transient, persist
from ops.testbed import Testbed
from tests.integration.cluster import Cluster
from tests.integration.faults import KINDS, Faults, api_server
from tests.integration.rounds import ROUNDS


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same policy, with shorter silences."""
    monkeypatch.setattr(room, "FIRST_SECONDS", 1.0)
    monkeypatch.setattr(room, "CONNECT_SECONDS", 1.0)


def asked(url: str) -> int:
    """The status of an answer. Who uses a forwarded port asks again, as the product does: kubectl joins the pod at the first question."""

    def once(_: int) -> int:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return int(answer.status)
        except OSError as error:
            raise Transient(Failure(f"asking {url}", str(error), "See the pod's log.")) from error

    return persist(once, Policy(tries=4))


def behind(cluster: Cluster, kubeconfig: Path) -> Target:
    return replace(cluster.target, kubeconfig=kubeconfig, server="https://127.0.0.1")


@pytest.mark.parametrize("seed", ROUNDS)
def test_every_verb_ends_right_though_one_request_in_five_fails(
    cluster: Cluster, digests: dict[str, str], testbed: Testbed, tmp_path: Path, seed: int
) -> None:
    faults, straight = Faults(seed=seed), cluster.client
    catalog = cluster.platform.catalog()
    with api_server(testbed, tmp_path / "faults", faults) as kubeconfig, connect(behind(cluster, kubeconfig)) as crooked:
        cluster.client = crooked
        assert cluster.deploy().state == "done"
        assert cluster.plan().empty
        cluster.platform.digests["ct-web"] = digests["two"]
        cluster.deploy()
        cluster.execute(plan_rollback(catalog, crooked))
        cluster.execute(plan_scale(catalog, crooked, "web", least=2))
        found = {row.name: row for row in status(catalog, crooked).rows}
        assert {name: (row.ready, row.why) for name, row in found.items() if name in ("web", "store")} == {
            "web": (2, ""),
            "store": (1, ""),
        }
        assert list(logs.read(catalog, crooked, "web", LogSelection(tail=3)))
        assert [(h.kind, h.outcome) for h in cluster.history()] == [(kind, "good") for kind in ("deploy", "deploy", "rollback", "scale")]
    cluster.client = straight
    assert cluster.image().endswith(digests["one"])
    assert not held(straight, cluster.platform.home)
    assert sum(faults.met[kind] for kind in KINDS) > 20, faults.met


@pytest.mark.parametrize("kind", ["lost", "500", "reset", "cut"])
@pytest.mark.parametrize(("method", "where"), [("POST", "/leases"), ("POST", "/secrets"), ("PATCH", "/secrets/"), ("DELETE", "/leases/")])
def test_a_write_whose_answer_is_lost_is_done_once(
    cluster: Cluster, testbed: Testbed, tmp_path: Path, method: str, where: str, kind: str
) -> None:
    """The lock's and the record's own requests: each fails once, as its answer does, or as it never came."""
    left = [1]

    def once(asked: str, path: str) -> bool:
        if asked == method and where in path and left:
            left.pop()
            return True
        return False

    faults = Faults(one_in=1, kinds=(kind,), only=once)
    home = cluster.platform.home
    with api_server(testbed, tmp_path / "faults", faults) as kubeconfig, connect(behind(cluster, kubeconfig)) as crooked:
        with hold(crooked, home, "me") as lock:
            lock.check()
            write_a_record(crooked, home)
        assert faults.met[kind] == 1
    assert [h.outcome for h in cluster.history()] == ["good"]
    assert not held(cluster.client, home)
    assert cluster.get("Lease", "nextai-deploy", group="coordination.k8s.io") is None


def write_a_record(client: room.Client, home: str) -> None:
    from ops.cluster import record

    header = record.Header(1, "deploy", "staging", "me", "c0ffee", record.stamp(client))
    record.close(client, home, record.write(client, home, record.Record(header, ())), "good")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("429", r"the API server https://127\.0\.0\.1 is overloaded \(429\): a passing fault"),
        ("500", r"the API server https://127\.0\.0\.1 failed \(500\): a passing fault"),
        ("503", r"answered 503, and not as an API server does: a proxy or a load balancer"),
        ("reset", r"https://127\.0\.0\.1 does not answer"),
        ("silent", r"https://127\.0\.0\.1 does not answer"),
    ],
)
def test_a_cluster_that_only_fails_is_named_in_time(cluster: Cluster, testbed: Testbed, tmp_path: Path, kind: str, words: str) -> None:
    faults = Faults(one_in=1, kinds=(kind,))
    with api_server(testbed, tmp_path / "faults", faults) as kubeconfig:
        started = time.monotonic()
        with pytest.raises(Failure, match=words), connect(behind(cluster, kubeconfig)):
            pass
        assert time.monotonic() - started < 5.5
        assert faults.met[kind] > 1


def test_a_deploy_whose_cluster_fails_for_long_is_not_undone_and_the_next_one_finishes_it(
    cluster: Cluster, digests: dict[str, str], testbed: Testbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.deploy()
    cluster.platform.digests["ct-web"] = digests["two"]
    monkeypatch.setattr(room, "USUAL", Policy(tries=3, first=0.05))
    faults = Faults(one_in=1, kinds=("500", "reset"), only=lambda method, path: method == "PATCH" and "dryRun" not in path)
    straight = cluster.client
    with api_server(testbed, tmp_path / "faults", faults) as kubeconfig, connect(behind(cluster, kubeconfig)) as crooked:
        cluster.client = crooked
        with pytest.raises(Unavailable, match=r"the API server|does not answer") as failed:
            cluster.deploy()
    cluster.client = straight
    assert failed.value.code == Exit.FAILED
    assert "tried 3 times" in failed.value.cause
    assert "record 2 has no end: `invoke deploy` finishes it" in failed.value.remedy
    assert [h.outcome for h in cluster.history()] == ["good", "running"]
    assert cluster.deploy().resumed
    assert [h.outcome for h in cluster.history()] == ["good", "abandoned", "good"]
    assert cluster.image().endswith(digests["two"])


@pytest.mark.parametrize("kind", ["429", "500", "503", "reset"])
def test_a_port_is_forwarded_though_the_way_there_fails_once(cluster: Cluster, testbed: Testbed, tmp_path: Path, kind: str) -> None:
    """What kubectl does for the checks after a deploy, and for migrations: each of its first requests fails."""
    cluster.deploy()
    for number in range(3):
        left = [number]

        def nth(method: str, path: str, left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] == -1

        faults = Faults(one_in=1, kinds=(kind,), only=nth)
        with api_server(testbed, tmp_path / f"faults{number}", faults) as kubeconfig:
            target = behind(cluster, kubeconfig)
            with forward(target, cluster.platform.home, "service/web", 8080) as port:
                assert asked(f"http://127.0.0.1:{port}/ready") == 200
        assert faults.met[kind] == 1
