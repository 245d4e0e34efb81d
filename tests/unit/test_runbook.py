"""docs/runbook.md quotes what the verbs say."""

from dataclasses import replace
from pathlib import Path

import pytest

from ops.cluster import lock, show
from ops.cluster.plan import Origin, Plan, Unfinished
from ops.cluster.record import Header
from ops.cluster.status import EnvironmentStatus
from ops.cluster.step import Step
from ops.console import error
from ops.database.findings import Finding
from ops.kube.diff import differences
from ops.kube.objects import Key, Object
from ops.kube.order import Phase
from ops.kube.progress import Notice
from ops.kube.readiness.causes import failed

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text(encoding="utf-8")
TARGET = "staging (context nextai-staging, https://k8s.example.com:6443)"
CUT = Header(7, "deploy", "staging", "ana@ci-7/4182", "b106185", "2026-11-30T12:24:02Z")


def pods(checksum: str) -> Object:
    return {"spec": {"template": {"metadata": {"annotations": {"nextai-agent.com/secrets-checksum": checksum}}}}}


def rotated() -> Plan:
    key, before, after = Key("Deployment", "nextai-system", "user-service", "apps"), pods("3f0a51c2be77d9e4"), pods("9b1c44e07a2d6f18")
    change = Step(key, "change", Phase.WORKLOADS, after, before, "1", differences(before, after))
    unchanged = (Step(Key("Service", "n", str(n)), "unchanged", Phase.WORKLOADS, after) for n in range(61))
    return Plan(Origin("deploy", "staging", "", "b106185"), "", 6, (change, *unchanged))


def test_a_held_lock(capsys: pytest.CaptureFixture[str]) -> None:
    holder, since, renewed = "ana@ci-7/4182/ab12cd34", "2026-11-30T12:24:02.113000Z", "2026-11-30T12:25:41.402000Z"
    error(lock._held({"spec": {"holderIdentity": holder, "acquireTime": since, "renewTime": renewed}}))
    assert capsys.readouterr().err in RUNBOOK


def test_a_deploy_that_was_cut_off() -> None:
    found = EnvironmentStatus((), None, CUT)
    assert "\n".join(show.status_lines(found, "--env staging")) in RUNBOOK
    plan = replace(rotated(), unfinished=Unfinished(7, CUT.who, held=False, same=False))
    assert list(show.plan_lines(plan, TARGET))[1] in RUNBOOK


def test_a_failed_deploy() -> None:
    cause = failed("crash", name="user-service", times=" 2 times", code=1, reason="", message="").cause
    key = Key("Deployment", "nextai-system", "user-service", "apps")
    lines = (Notice(key, "failed", cause), Notice(Key("record", "", "7"), "failed", "going back to record 6"))
    assert "\n".join(map(show.notice_line, lines)) in RUNBOOK


def test_a_refused_migration() -> None:
    finding = Finding("0003_users_nick.sql", 1, "drop-column", "public.users.last_signed_in_at")
    assert f"refused: {finding}\n" in RUNBOOK
    refused = replace(rotated(), problems=("…",))
    assert list(show.plan_lines(refused, TARGET))[-1] in RUNBOOK


def test_a_rotated_secret() -> None:
    assert "\n".join(show.plan_lines(rotated(), TARGET)) in RUNBOOK
