"""Deploys that meet another one, or what a killed one left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ops.cluster.plan import Plan
from ops.errors import Refused, RolledBack
from tests.integration.cluster import Cluster


def test_two_deploys_at_once_one_is_refused_and_told_who_holds_the_lock(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}
    plan = cluster.plan()

    def second() -> None:
        with pytest.raises(Refused, match="has held it since"):
            cluster.execute(plan)

    cluster.execute(plan, second)
    assert [h.outcome for h in cluster.history()] == ["good", "good"]


def test_a_plan_that_saw_a_deploy_under_way_does_not_call_it_cut_off_when_it_has_ended(cluster: Cluster, digests: dict[str, str]) -> None:
    cluster.deploy()
    cluster.platform.digests = {**cluster.platform.digests, "ct-web": digests["two"]}
    seen: list[Plan] = []
    cluster.execute(cluster.plan(), lambda: seen.append(cluster.plan()))
    assert seen[0].unfinished and (seen[0].unfinished.record, seen[0].unfinished.held) == (2, True)
    with pytest.raises(Refused, match=r"record 2 by .* has ended since: good"):
        cluster.execute(seen[0])
    assert [h.outcome for h in cluster.history()] == ["good", "good"]


KILLED = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[1])
from tests.integration.small_platform import Platform
from ops.kube.connect import connect
from ops.cluster.prepare import plan_deploy
from ops.cluster.release import execute
from ops.manifests.render import render
from ops.cluster.target import resolve_target
from types import SimpleNamespace
settings = json.loads(sys.argv[2])
testbed = SimpleNamespace(**{**settings["testbed"], "kubeconfig": Path(settings["testbed"]["kubeconfig"])})
platform = Platform(Path(settings["root"]), settings["digests"], name=settings["name"], env=settings["env"])
platform.write()
catalog = platform.catalog()
target = resolve_target(catalog, "staging", testbed)
with connect(target) as client:
    plan = plan_deploy(catalog, client, render(catalog, target.environment, platform.digests))
    execute(catalog, client, plan, lambda notice: print(notice.key.kind, notice.state, flush=True))
"""


@pytest.mark.parametrize("same", [True, False], ids=["finishes", "takes the place of"])
def test_after_a_killed_deploy_the_lock_lapses_and_the_next_one_finishes_or_replaces_it(
    cluster: Cluster, digests: dict[str, str], testbed: Any, same: bool
) -> None:
    cluster.deploy()
    changed = {**cluster.platform.digests, "ct-web": digests["two"]}
    # It does not become ready, so it is certainly in the middle when it is killed.
    env = {"READY_STATUS": "503"}
    settings = {
        "testbed": {"kubeconfig": str(testbed.kubeconfig), "context": testbed.context, "kubectl": str(testbed.kubectl)},
        "root": str(cluster.platform.root),
        "digests": changed,
        "name": cluster.platform.name,
        "env": env,
    }
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", KILLED, json.dumps([str(Path(__file__).parent), str(root)]), json.dumps(settings)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert any(line.startswith("Deployment waiting") for line in child.stdout), "the deploy never got to its workloads"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    killed = time.monotonic()
    assert [h.outcome for h in cluster.history()] == ["good", "running"]

    cluster.platform.digests = changed
    cluster.platform.env = env if same else {}
    with pytest.raises(Refused, match="has held it since") as held:
        cluster.deploy()
    assert "expires" in held.value.remedy
    plan = _when_expired(cluster)
    assert time.monotonic() - killed < 45
    assert plan.unfinished and (plan.unfinished.record, plan.unfinished.held, plan.unfinished.same) == (2, False, same)
    if same:
        # Finishing it means to wait for what it wanted, and to go back from it when that fails.
        with pytest.raises(RolledBack, match="503"):
            cluster.execute(plan)
        assert [h.outcome for h in cluster.history()] == ["good", "abandoned", "failed", "good"]
        assert cluster.image().endswith(digests["one"])
    else:
        result = cluster.execute(plan)
        assert "took its place" in result.resumed
        assert [h.outcome for h in cluster.history()] == ["good", "abandoned", "good"]
        assert cluster.image().endswith(digests["two"])


def _when_expired(cluster: Cluster) -> Plan:
    """A plan, as soon as the Lease has lapsed by the cluster's clock."""
    from ops.cluster.lock import expired

    lease = cluster.get("Lease", "nextai-deploy", group="coordination.k8s.io")
    assert lease is not None
    deadline = time.monotonic() + 60
    while not expired(lease, cluster.client.now()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return cluster.plan()
