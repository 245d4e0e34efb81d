"""What is told of a rollout that failed: each object, its cause, what to do about it, and the lines that say why."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from ops.kube.broken import Broken, broken_by, failure
from ops.kube.excerpt import shortened
from ops.kube.objects import Key
from ops.kube.progress import Notice, RolloutProgress
from ops.kube.readiness import Done, Failed, LogOf, State, Waiting
from ops.kube.readiness.causes import CAUSES
from ops.kube.readiness.state import CauseKind

WEB, API = Key("Deployment", "n", "web", "apps"), Key("Deployment", "n", "api", "apps")
LOG = LogOf("n", "web-1", "web")


def test_every_kind_of_cause_has_a_remedy_of_its_own() -> None:
    assert set(CAUSES) == set(get_args(CauseKind))
    assert len({cause.remedy for cause in CAUSES.values()}) == len(CAUSES)


# What Node writes for NODE_OPTIONS="--require /nope.js": the message is above the last twelve lines.
NODE = """node:internal/modules/cjs/loader:1386
  throw err;
  ^

Error: Cannot find module '/nope.js'
Require stack:
- internal/preload
    at Function._resolveFilename (node:internal/modules/cjs/loader:1383:15)
    at defaultResolveImpl (node:internal/modules/cjs/loader:1025:19)
    at resolveForCJSWithHooks (node:internal/modules/cjs/loader:1030:22)
    at Function._load (node:internal/modules/cjs/loader:1192:37)
    at TracingChannel.traceSync (node:diagnostics_channel:328:14)
    at wrapModuleLoad (node:internal/modules/cjs/loader:237:24)
    at Module.require (node:internal/modules/cjs/loader:1463:12)
    at node:internal/modules/cjs/loader:1742:12
    at loadPreloadModules (node:internal/process/pre_execution:730:5)
    at setupUserModules (node:internal/process/pre_execution:206:5) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ 'internal/preload' ]
}

Node.js v22.21.0""".splitlines()


def test_the_first_error_is_shown_though_its_stack_is_longer_than_the_last_lines() -> None:
    shown = shortened(NODE)
    assert shown[:2] == ["Error: Cannot find module '/nope.js'", "Require stack:"]
    assert shown[-12:] == NODE[-12:]
    assert len(shown) <= 17
    quiet = [f"line {n}" for n in range(40)]
    assert shortened(quiet) == quiet[-12:]
    assert shortened(quiet[:5]) == quiet[:5]
    weak = ["connection refused", *quiet]
    assert shortened(weak)[0] == "connection refused"
    assert shortened(["retry failed", *quiet, '{"level":"error","msg":"no key"}', *quiet])[0] == '{"level":"error","msg":"no key"}'


def test_every_object_that_failed_is_told_with_its_own_remedy_and_as_a_document() -> None:
    found = [Broken(WEB, "container web ended", "crash", ("bad key",)), Broken(API, "no answer", "readiness")]
    told = failure([*found, Broken(API, "waiting for its start", "waiting")], 0)
    assert told.cause.splitlines()[:3] == ["Deployment n/web: container web ended", "    bad key", "Deployment n/api: no answer"]
    assert told.remedy.splitlines() == [f"web: {CAUSES['crash'].remedy}", f"api: {CAUSES['readiness'].remedy}", "Then deploy again."]
    error: Any = told.document()["error"]
    assert error["objects"][0] == {
        "object": {"kind": "Deployment", "namespace": "n", "name": "web"},
        "reason": "crash",
        "cause": "container web ended",
        "remedy": CAUSES["crash"].remedy,
        "log": ["bad key"],
    }
    assert failure(found[:1], 600).cause.startswith("not ready within 600 s\nDeployment n/web")
    assert failure(found[:1], 0).remedy == f"{CAUSES['crash'].remedy} Then deploy again."


class Watched:
    """A cluster with a clock that the test moves, and a log."""

    def __init__(self, lines: str = "") -> None:
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.lines = lines

    def now(self) -> datetime:
        return self.moment

    def read_text(self, path: str, query: dict[str, str]) -> str:
        assert path == "/api/v1/namespaces/n/pods/web-1/log"
        return self.lines

    def after(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def test_a_program_for_another_processor_is_told_by_its_only_line() -> None:
    client: Any = Watched("exec /probe: exec format error\n")
    assert broken_by(client, WEB, Failed("container web ended", LOG, "crash")).kind == "platform"
    client.lines = "bad key\n"
    assert broken_by(client, WEB, Failed("container web ended", LOG, "crash")).kind == "crash"


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def reporter(told: list[str]) -> Callable[[Watched], Callable[[State], None]]:
    def begin(client: Any) -> Callable[[State], None]:
        def tell(notice: Notice) -> None:
            told.append(f"{notice.state}: {notice.text}")

        progress = RolloutProgress(client, tell)
        return lambda state: progress.report(WEB, state)

    return begin


def test_what_is_waited_for_is_heard_of_every_15_s_with_its_new_lines(
    reporter: Callable[[Watched], Callable[[State], None]], told: list[str]
) -> None:
    client = Watched()
    report = reporter(client)
    report(Waiting("its end"))
    for _ in range(31):
        client.after(1)
        client.lines = "row 1\nrow 2\n" if len(told) > 1 else ""
        report(Waiting("its end", LOG))
    client.after(15)
    report(Waiting("its end", LOG))
    report(Waiting("its end (1 of 2 tries failed, the last with exit code 3)", LOG))
    report(Done())
    report(Done())
    assert told == [
        "waiting: its end",
        "waiting: its end (15 s); it has written nothing",
        "waiting: its end (30 s)\n    row 1\n    row 2",
        "waiting: its end (46 s)",
        "waiting: its end (1 of 2 tries failed, the last with exit code 3)",
        "ready: ",
    ]
