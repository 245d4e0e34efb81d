"""What people read stands in tests/golden: the verbs' help, a plan, a failed deploy, a status, a history, doctor, the table of checks."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.catalog import load
from ops.catalog.names import MANAGER, OWNED
from ops.checks import report
from ops.checks.report import Outcome, Pass
from ops.cluster import record, show
from ops.cluster.applying import Conflict
from ops.cluster.dryrun import DryRun
from ops.cluster.facts import ClusterFacts
from ops.cluster.history import History
from ops.cluster.plan import Origin, Plan, make_plan
from ops.cluster.prepare import prepare
from ops.cluster.record import Header, Record
from ops.cluster.release import execute
from ops.cluster.status import EnvironmentStatus, Flaw, WorkloadRow
from ops.cluster.target import Target
from ops.cluster.unwanted import Unwanted
from ops.console import error, say
from ops.console.verb import guarded
from ops.errors import Failure
from ops.kube.broken import Broken, failure
from ops.kube.objects import Key
from ops.kube.progress import Notice
from ops.kube.readiness.causes import failed
from ops.verbs import doctor, watch
from ops.verbs.doctor import DoctorRow
from tests import golden
from tests.unit import golden_on_disk
from tests.unit.memory import HOME, Memory

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load(ROOT)
TARGET = Target(CATALOG.environments["staging"], None, "nextai-staging", "https://k8s.example.com:6443")
ORIGIN = Origin("deploy", "staging", "2026-11-30T12:00:00Z", "b10618533fd9e1c2", "1.4.0")
OURS: dict[str, Any] = {"manager": MANAGER, "operation": "Apply"}
OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
JOB = {
    "name": "db-migrate-7f3a",
    "namespace": "nextai-system",
    "labels": {OWNED: "staging"},
    "managedFields": [OURS],
}
USER_SERVICE = Key("Deployment", "nextai-system", "user-service", "apps")


def thing(kind: str, name: str, version: str = "v1", namespace: str = "nextai-system", **body: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **body}


def deployment(name: str, digest: str, *, replicas: int = 2) -> dict[str, Any]:
    container = {"name": name, "image": f"registry.example.com/nextai/{name}@{digest}", "readinessProbe": {"httpGet": {"port": 3000}}}
    return thing("Deployment", name, "apps/v1", spec={"replicas": replicas, "template": {"spec": {"containers": [container]}}})


def live(manifest: dict[str, Any]) -> dict[str, Any]:
    kept = {"resourceVersion": "5", "uid": f"uid-{manifest['metadata']['name']}", "managedFields": [OURS]}
    return {**manifest, "metadata": {**manifest["metadata"], **kept}}


def seen(wanted: dict[str, Any], there: dict[str, Any] | None = None, **more: Any) -> DryRun:
    return DryRun(wanted, live(there) if there else None, live(wanted) if there else None, **more)


def planned(*more: DryRun, history: Sequence[Header] = (), **facts: Any) -> Plan:
    """A plan with one object of each kind of step."""
    job = thing("Job", "db-migrate-7f3a", "batch/v1", spec={"template": {"spec": {"containers": [{"name": "db-migrate"}]}}})
    broken = {**live(job), "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    gone = thing("Service", "old-service")
    dry_runs = (
        seen(deployment("user-service", NEW), deployment("user-service", OLD)),
        seen(deployment("web", NEW), deployment("web", NEW)),
        seen(
            deployment("api-gateway", NEW), deployment("api-gateway", NEW, replicas=5), conflicts=(Conflict(".spec.replicas", "kubectl"),)
        ),
        seen(thing("ConfigMap", "user-service-config", data={"LOG_LEVEL": "info", "PORT": "3000"})),
        seen(
            thing("Secret", "user-service-secrets", data={"JWT_SECRET": "bmV3"}),
            thing("Secret", "user-service-secrets", data={"JWT_SECRET": "b2xk"}),
        ),
        DryRun(job, broken, broken),
        *more,
    )
    last = Record(Header(6, "deploy", "staging", "ana", "", "", outcome="good", version="1.4.0"), (gone,))
    found = History((last.header, *history), last)
    return make_plan(
        ORIGIN, ClusterFacts(cluster="id", dry_runs=dry_runs, unwanted=(Unwanted(live(gone)),), history=found, **facts), frozenset()
    )


def told(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)


def plan() -> None:
    told([*show.plan_lines(planned(), str(TARGET))])


def plan_refused() -> None:
    unknown = Key("SealedSecret", "nextai-system", "registry", "bitnami.com")
    missing = ("Secret nextai-system/web-secrets is missing: web cannot start",)
    cut = Header(7, "deploy", "staging", "ana@ci-7/4182", "b106185", "2026-11-30T12:24:02Z")
    decided = planned(
        seen(deployment("web-canary", NEW), refusal="spec.template.spec.containers[0].image: Required value"),
        missing=missing,
        unknown=(unknown,),
        history=(cut,),
    )
    told([*show.plan_lines(decided, str(TARGET))])


def plan_empty() -> None:
    same = replace(planned(), steps=tuple(step for step in planned().steps if step.action == "unchanged"))
    told([*show.plan_lines(same, str(TARGET))])


def deploy_failed() -> None:
    """A deploy whose rollout fails, on an API server in memory: what is told while it runs, and the failure at its end."""
    cause = failed("crash", name="user-service", times=" 2 times", code=1, reason="", message="").cause
    waiting = failed("readiness", name="web", seconds=60, why="GET /readyz answers 503: postgres does not answer").cause
    web = Key("Deployment", "nextai-system", "web", "apps")
    lines = ("JWT_SECRET has 12 characters, 32 or more are required",)

    def rollout() -> None:
        for notice in (Notice(USER_SERVICE, "waiting", "its pods (0 of 2 are ready)"), Notice(USER_SERVICE, "failed", cause)):
            tell(notice)
        raise failure((Broken(USER_SERVICE, cause, "crash", lines), Broken(web, waiting, "readiness")), 0)

    def tell(notice: Notice) -> None:
        say(show.notice_line(notice))

    cluster = Memory()
    metadata: Any = JOB
    before, after = (thing("ConfigMap", "user-service-config", data={"LOG_LEVEL": level}) for level in ("info", "debug"))
    cluster.keep(before)
    header = record.write(cluster, HOME, Record(Header(6, "deploy", "staging", "ana", "", "2026-11-30T12:00:00Z"), (before,)))
    record.close(cluster, HOME, header, "good")
    decided = prepare(CATALOG, cluster, replace(ORIGIN, version="", digests={}), [after])
    cluster.keep({**thing("Job", "db-migrate-7f3a", "batch/v1"), "metadata": metadata})

    def work() -> int:
        execute(CATALOG, cluster, decided, tell, verify=rollout)
        return 0

    say(f"exit code {guarded(work):d}")
    cluster._pool.shutdown()


def history() -> None:
    cut = "the cluster did not answer within 30 s\nsecond line, which a table does not show"
    headers = [
        Header(5, "deploy", "staging", "ana@laptop", "9f31c0ab", "2026-11-28T09:00:00Z", outcome="good", version="1.3.0"),
        Header(6, "deploy", "staging", "ci-7", "b106185f+", "2026-11-30T12:00:00Z", outcome="failed", cause=cut),
        Header(7, "rollback", "staging", "ana@laptop", "9f31c0ab", "2026-11-30T12:04:00Z", outcome="good", version="1.3.0", target=5),
        Header(8, "deploy", "staging", "ben@laptop", "c0ffee00", "2026-11-30T13:00:00Z"),
    ]
    watch.show_history(headers, TARGET)
    say("")
    watch.show_history([], TARGET)


def status() -> None:
    image = f"registry.example.com/nextai/user-service@{NEW}"
    crash = failed("crash", name="user-service", times=" 3 times", code=1, reason="", message="").cause
    rows = (
        WorkloadRow("Deployment", "nextai-system", "user-service", 1, 2, (image,), 3, 4000, crash, ("Error: no key",)),
        WorkloadRow("Deployment", "nextai-system", "web", 2, 2, (image.replace("user-service", "web"),), 0, 200_000),
        WorkloadRow("StatefulSet", "nextai-data", "postgres", 1, 1, ("docker.io/library/postgres:18.1",), 0, 59),
    )
    good = Header(6, "deploy", "staging", "ana@laptop", "b106185f", "2026-11-30T12:00:00Z", outcome="good")
    bad = replace(good, number=7, outcome="failed", cause="not ready within 600 s\nDeployment nextai-system/web")
    missing = (Flaw(Key("Service", "nextai-system", "web"), "it is gone: the next deploy makes it again"),)
    differs = (Flaw(Key("ConfigMap", "nextai-system", "web-config"), "it differs in data.LOG_LEVEL"),)
    watch.show_status(EnvironmentStatus(rows, good, None, failed=bad, missing=missing, differs=differs), TARGET)
    say("")
    watch.show_status(EnvironmentStatus((), None, replace(bad, outcome="running")), TARGET)


def doctor_table() -> None:
    remedy = "Nothing to do: `invoke up` uses the embedded engine. For `invoke build`: start Docker, or `invoke testbed.up`."
    doctor.show(
        (
            DoctorRow("cache folder", "ok", "/home/ana/.cache/nextai-agent"),
            DoctorRow("git", "ok", "2.47.3 (on PATH)"),
            DoctorRow("node", "missing", "node 24 is needed, and 20.1.0 is on PATH", "Run `uv sync` in the checkout."),
            DoctorRow("ports", "ok", "all of the platform's ports are free"),
            DoctorRow("Docker Engine", "later", "no Docker Engine answers", remedy),
            DoctorRow("buildx", "later", "it is not fetched yet", remedy),
        )
    )


def checks() -> None:
    note = "skipped test_up_on_the_embedded_engine: port 13000 is in use"
    ran = [Outcome("integration", 201.04, 57, 1), Outcome("tests", 61.3, 1310, 0, 1, notes=(note,)), Outcome("lint", 8.2)]
    report.show(ran, {"manifests": Pass("manifests", "0" * 64, "2026-11-30T09:41:00", 7.2, 274)})


def errors() -> None:
    error(Failure("writing the plan to /plans/staging.json", "/plans: no such folder", "Make the folder, then run it again."))
    error(Failure("applying the plan", "one\ntwo", "first this\nthen that"))


SCENES: dict[str, Callable[[], None]] = {
    "plan": plan,
    "plan-refused": plan_refused,
    "plan-empty": plan_empty,
    "deploy-failed": deploy_failed,
    "history": history,
    "status": status,
    "doctor": doctor_table,
    "checks": checks,
    "errors": errors,
}
HELP = ("help", "verbs")
RELEASE = "release"


@pytest.mark.parametrize("name", SCENES)
def test_what_people_read_is_what_was_read_in_review(name: str, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> None:
    SCENES[name]()
    shown = capsys.readouterr()
    golden.compare(name, shown.out + shown.err, rewrite=request.config.getoption("golden"))


@pytest.mark.parametrize("name", golden_on_disk.SCENES)
def test_what_a_verb_says_of_a_folder_is_what_was_read_in_review(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    golden_on_disk.SCENES[name](tmp_path, monkeypatch)
    shown = capsys.readouterr()
    golden.compare(name, shown.out + shown.err, rewrite=request.config.getoption("golden"))


def test_what_a_release_says_is_what_was_read_in_review(
    clone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    golden_on_disk.release_of(clone, monkeypatch)
    shown = capsys.readouterr()
    golden.compare(RELEASE, golden_on_disk.steady(shown.out + shown.err), rewrite=request.config.getoption("golden"))


def invoke(*words: str) -> str:
    argv, env = (sys.executable, "-m", "invoke", *words), {**os.environ, "PYTHONUTF8": "1"}
    done = subprocess.run(argv, check=True, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", stdin=subprocess.DEVNULL, env=env)
    return done.stdout


def test_the_help_of_each_verb_is_what_was_read_in_review(request: pytest.FixtureRequest) -> None:
    rewrite = request.config.getoption("golden")
    listed = invoke("--list")
    golden.compare("verbs", listed, rewrite=rewrite)
    verbs = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and not line.startswith("   ")]
    assert len(verbs) > 20
    with ThreadPoolExecutor(2) as pool:
        pages = pool.map(lambda verb: invoke("--help", verb), verbs)
    golden.compare("help", "".join(f"$ invoke --help {verb}\n{page}" for verb, page in zip(verbs, pages, strict=True)), rewrite=rewrite)


def test_each_golden_file_is_compared() -> None:
    assert {file.stem for file in golden.FOLDER.glob("*")} == {*SCENES, *golden_on_disk.SCENES, RELEASE, *HELP}


def test_another_word_is_told_as_a_difference_and_ci_rewrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    golden.compare("x", "one\ntwo\n", rewrite=True, folder=tmp_path)
    golden.compare("x", "one\ntwo\n", rewrite=False, folder=tmp_path)
    with pytest.raises(pytest.fail.Exception, match=r"(?s)-two\n\+three.*--golden"):
        golden.compare("x", "one\nthree\n", rewrite=False, folder=tmp_path)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI"):
        golden.compare("x", "three\n", rewrite=True, folder=tmp_path)
    assert (tmp_path / "x.txt").read_text() == "one\ntwo\n"
