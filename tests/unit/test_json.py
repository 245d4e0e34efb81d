"""With --json a verb prints one document on standard output, whatever becomes of it; people's text goes to standard error."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit as Leave

import tasks
from ops import catalog, console
from ops.cluster import logs
from ops.cluster.loglines import LogLine
from ops.cluster.status import EnvironmentStatus, WorkloadRow
from ops.cluster.target import Target
from ops.command import Command, run
from ops.console.output import stream
from ops.console.verb import guarded, verb
from ops.database import __main__ as program
from ops.database import generate, lint
from ops.database.journal import Migration
from ops.errors import Failure, Refused, RolledBack, UsageError
from ops.secret import Secret
from ops.verbs import migrate as database
from ops.verbs import watch
from ops.verbs.sync import derived, sync
from ops.verbs.up import _ctrl_c_on_terminate
from tests.unit.command_line import arguments, invoke

Document = dict[str, object]


@pytest.fixture(autouse=True)
def for_machines() -> Iterator[None]:
    console.use_json(True)
    yield
    console.use_json(False)


def documents(text: str) -> list[Document]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("failure", "code", "cause"),
    [
        (Failure("deploying", "stuck", "Push."), 1, "stuck"),
        (UsageError("deploying", "stuck", "Push."), 2, "stuck"),
        (Refused("deploying", "stuck", "Push."), 3, "stuck"),
        (RolledBack("deploying", "stuck", "Push."), 4, "stuck"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(13, "Permission denied", "/x"), 1, "/x Permission denied"),
        (ZeroDivisionError("by nought"), 1, "a defect of the build system: ZeroDivisionError: by nought"),
    ],
)
def test_a_failure_of_any_kind_is_one_document(failure: BaseException, code: int, cause: str, capsys: pytest.CaptureFixture[str]) -> None:
    @verb(json="one document")
    def move(_: Context, json: bool = False) -> int | None:
        console.say("on the way")
        raise failure

    with pytest.raises(Leave) as left:
        move(Context(), json=True)
    told = capsys.readouterr()
    (document,) = documents(told.out)
    error = document["error"]
    assert left.value.code == code and document["version"] == 1
    assert isinstance(error, dict) and set(error) == {"doing", "cause", "remedy", "exitCode"} and all(error.values())
    assert error["exitCode"] == code and error["cause"].startswith(cause)
    assert "on the way" in told.err and cause in told.err


def test_a_missing_argument_is_one_document_and_no_text_where_machines_read(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Leave):
        tasks.deploy(Context(), env=None, json=True)
    (document,) = documents(capsys.readouterr().out)
    assert "--env is missing" in str(document["error"])


def test_a_defect_that_is_looked_into_is_a_document_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NEXTAI_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 // 0)
    assert len(documents(capsys.readouterr().out)) == 1


@pytest.mark.parametrize("failure", [Failure("deploying", "stuck", "Push."), KeyboardInterrupt()])
def test_a_verb_that_fails_after_its_document_prints_no_second_one(failure: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    @verb(json="one document")
    def move(_: Context, json: bool = False) -> int | None:
        console.emit_json({"started": True})
        raise failure

    for _ in range(2):  # the next verb of the same command line has a document of its own
        with pytest.raises(Leave):
            move(Context(), json=True)
        assert documents(capsys.readouterr().out) == [{"version": 1, "started": True}]


def test_without_json_standard_output_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    @verb(json="one document")
    def move(_: Context, json: bool = False) -> int | None:
        raise Failure("deploying", "stuck", "Push.")

    with pytest.raises(Leave):
        move(Context(), json=False)
    assert capsys.readouterr().out == ""


def test_a_secret_is_in_no_document(capsys: pytest.CaptureFixture[str]) -> None:
    secret = Secret("hunter2")

    def work() -> int:
        raise Failure(f"connecting with {secret}", f"{secret!r} was refused", f"Change {[secret]}.")

    guarded(work)
    console.emit_json({"password": secret})
    told = capsys.readouterr()
    assert "hunter2" not in told.out + told.err and told.out.count("***") == 4


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ("deploy --json", "--env is missing"),
        ("logs --json", "logs needs a word, SERVICE"),
        ("build --no-such-flag -j", "build has no flag --no-such-flag"),
        ("no-such-verb --json", "there is no verb no-such-verb"),
        ("logs web --env staging --tail many --json", "expected a whole number, not 'many'"),
        ("shell web --env staging --json", "shell has no flag --json"),
        ("release --bump huge --json", "huge"),
        ("logs web --env nowhere --json", "nowhere"),
    ],
)
def test_wrong_usage_is_one_document(words: str, cause: str) -> None:
    done = invoke(*words.split())
    (document,) = documents(done.stdout)
    error = document["error"]
    assert isinstance(error, dict) and error["exitCode"] == done.returncode == 2
    assert cause in error["cause"] and f" cause: {error['cause']}" in done.stderr


def test_a_start_that_is_terminated_is_told_as_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> int:
        with _ctrl_c_on_terminate():
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        return 0

    assert guarded(work) == 130
    told = capsys.readouterr()
    (document,) = documents(told.out)
    assert "nothing that this command started was left running" in str(document["error"])
    assert "nothing that this command started was left running" in told.err


def test_every_verb_has_json_but_those_that_hand_over_the_terminal() -> None:
    lacking = [name for name, found in arguments().items() if "json" not in {argument.attr_name or argument.name for argument in found}]
    assert sorted(lacking) == ["connect", "psql", "shell"]


def test_sync_says_what_is_stale_and_what_it_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import dataclasses

    loaded = catalog.load()
    alone = dataclasses.replace(loaded.services["web"], needs=())
    web = dataclasses.replace(loaded, root=tmp_path, services={"web": alone})
    monkeypatch.setattr(catalog, "load", lambda: web)
    files = [str(path) for path in derived(web)]
    assert {"platform.schema.json", "apps/web/contract.json", "k8s/base/web/derived.yaml"} <= set(files)
    codes = [sync(check=True), sync(check=False), sync(check=True)]
    assert codes == [1, 0, 0]
    assert documents(capsys.readouterr().out) == [
        {"version": 1, "stale": files},
        {"version": 1, "written": files},
        {"version": 1, "stale": []},
    ]


def test_a_made_migration_and_its_check_are_one_document(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    new = Migration(0, "0001_x", 7, "SELECT 1;")
    monkeypatch.setattr(generate, "generate", lambda *_: (new,))
    monkeypatch.setattr(lint, "lint", lambda *_: [])
    assert database.generate("x") == 0
    (document,) = documents(capsys.readouterr().out)
    assert document["made"] == [{"file": new.file, "when": 7, "hash": new.hash, "transactional": True, "history": False}]
    assert document["refused"] == [] and document["migrations"]
    monkeypatch.setattr(generate, "generate", lambda *_: ())
    assert database.generate("x") == 0
    assert documents(capsys.readouterr().out) == [{"version": 1, "made": []}]


def test_logs_are_a_document_a_line_and_a_failure_is_the_last(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def lines(*_: object) -> Iterator[LogLine]:
        yield LogLine("web-1", "web", '{"level": "info"}')
        yield LogLine("web-2", "web", "listening")
        raise Failure("reading logs", "the connection broke", "Run it again.")

    monkeypatch.setattr(watch, "connected", lambda *_: nullcontext((None, None, None)))
    monkeypatch.setattr(logs, "read", lines)
    assert guarded(lambda: watch.logs("web", "staging", testbed=False, follow=False, tail=9, since="")) == 1
    first, second, last = documents(capsys.readouterr().out)
    assert first == {"version": 1, "pod": "web-1", "container": "web", "text": '{"level": "info"}'}
    assert second["pod"] == "web-2" and "the connection broke" in str(last["error"])


@pytest.mark.parametrize("as_json", [True, False])
def test_a_workload_that_is_not_ready_is_exit_code_1_for_machines_too(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from ops.cluster import status

    console.use_json(as_json)
    row = WorkloadRow("Deployment", "nextai-system", "web", 0, 1, (), 0, 9, "image not found")
    target = Target(catalog.load().environments["staging"], None, "context", "https://server")
    monkeypatch.setattr(watch, "connected", lambda *_: nullcontext((None, None, target)))
    monkeypatch.setattr(status, "status", lambda *_: EnvironmentStatus((row,), None, None))
    assert watch.status("staging", testbed=False) == 1


def test_what_a_program_shows_goes_where_peoples_text_goes(capfd: pytest.CaptureFixture[str]) -> None:
    for as_json, expected in ((True, ("", "hello\n")), (False, ("hello\n", ""))):
        console.use_json(as_json)
        run(Command(("echo", "hello"), "greeting"), show=stream())
        assert capfd.readouterr() == expected


def test_the_migration_image_gives_machines_its_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert program.main(["status", "--json"]) == 2
    (document,) = documents(capsys.readouterr().out)
    assert "DATABASE_URL is required" in str(document["error"])
