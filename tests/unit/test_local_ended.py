"""What has ended on this machine: `status` and `up` say it, `logs` shows its words, and another checkout's platform is known."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.console import use_json
from ops.errors import Exit, Failure, UsageError
from ops.local import compose, composecontainers, embedded, facts, follow, ports, state
from ops.local.process import Identity, identify
from ops.local.state import Entry, RunRecord, State
from ops.verbs import local, watch
from ops.verbs import up as verb

Out = pytest.CaptureFixture[str]
GONE = Identity(1, "another time")
WHERE = "Logs: `invoke logs NAME --env local`"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalogue.load()


@pytest.fixture
def home(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> State:
    """A state folder of its own on a machine without Docker."""
    monkeypatch.setenv("NEXTAI_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer(trouble="none"))
    return state.opened(state.of(catalog.root))


@pytest.fixture
def supervisor() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(("sleep", "60"), start_new_session=True)
    yield child
    child.kill()
    child.wait()


def write(home: State, supervisor: subprocess.Popen[bytes], killed: str = "", engine: str = "embedded") -> None:
    """A platform that runs, but for a job that is done and perhaps one service that was killed."""
    own = identify(supervisor.pid)
    entries = {"postgres": Entry(own, 15, "ready", 1), "db-migrate": Entry(GONE, 15, "done")}
    entries["user-service"] = Entry(GONE if killed else own, 15, "ended" if killed else "ready", 2)
    state.write(home, RunRecord(engine, own, "http://localhost:1", entries))


def document_of_status(catalog: Catalog, capsys: Out, code: Exit) -> Any:
    """What `status --json` writes when it ends with this exit code."""
    use_json(True)
    try:
        assert local.status(catalog) == code
    finally:
        use_json(False)
    return json.loads(capsys.readouterr().out)


def test_status_of_what_runs_is_good_and_says_where_to_look(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], capsys: Out
) -> None:
    write(home, supervisor)
    assert local.status(catalog) == Exit.DONE
    assert WHERE in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("as_json", [False, True])
def test_status_fails_where_something_has_ended_with_its_last_lines_and_the_remedy(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], capsys: Out, as_json: bool
) -> None:
    write(home, supervisor, killed="user-service")
    home.log("user-service").write_text("first\nout of memory\n")
    use_json(as_json)
    try:
        assert local.status(catalog) == Exit.FAILED
    finally:
        use_json(False)
    out = capsys.readouterr().out
    if as_json:
        logs = {row["name"]: row["log"] for row in json.loads(out)["processes"]}
        assert logs == {"postgres": [], "db-migrate": [], "user-service": ["first", "out of memory"]}
        return
    assert "user-service | out of memory\n" in out
    assert "user-service has ended: `invoke up` starts everything again; the data stays.\n" in out
    assert "db-migrate has ended" not in out


def test_status_fails_where_a_container_is_unhealthy_or_ended(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, supervisor, engine="compose")
    seen = [
        composecontainers.Seen("redis", "exited", "", 137, 1),
        composecontainers.Seen("db-migrate", "exited", "", 0, 0),
        composecontainers.Seen("web", "running", "unhealthy", 0, 2),
    ]
    monkeypatch.setattr(composecontainers, "look", lambda *_: seen)
    monkeypatch.setattr(composecontainers, "lines", lambda _c, _h, name, *_: iter([f"last of {name}"]))
    assert local.status(catalog) == Exit.FAILED
    out = capsys.readouterr().out
    assert "redis | last of redis\n" in out
    assert "web | last of web\n" in out
    assert "redis has ended with exit code 137, web is unhealthy: `invoke up`" in out


@pytest.mark.parametrize(
    ("engine", "answer", "said"),
    [
        ("embedded", facts.Answer(), "its supervisor, process 1, has ended; still running: postgres"),
        ("compose", facts.Answer("1"), "none of its containers runs"),
        ("compose", facts.Answer(trouble="no Docker Engine answers at here"), "no Docker Engine answers at here"),
    ],
)
def test_status_tells_a_platform_that_is_gone_from_one_that_was_stopped(
    catalog: Catalog,
    home: State,
    capsys: Out,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    answer: facts.Answer,
    said: str,
) -> None:
    monkeypatch.setattr(facts, "docker", lambda: answer)
    monkeypatch.setattr(composecontainers, "look", lambda *_: [])
    assert local.status(catalog) == Exit.DONE
    assert capsys.readouterr().out == "nothing runs on this machine; `invoke up` starts it\n"
    processes = {"postgres": Entry(identify(os.getpid()), 15, "ready", 1), "web": Entry(GONE, 15, "ready", 2)}
    state.write(home, RunRecord(engine, GONE, "http://localhost:1", processes))
    assert local.status(catalog) == Exit.FAILED
    assert capsys.readouterr().out == f"the platform has ended without being stopped: {said}; `invoke up` starts it again\n"
    document = document_of_status(catalog, capsys, Exit.FAILED)
    assert (document["engine"], document["trouble"], document["processes"]) == (None, said, [])


@pytest.mark.parametrize("engine", ["embedded", "compose"])
@pytest.mark.parametrize("doing", ["started", "stopped"])
def test_what_is_being_started_or_stopped_is_not_taken_for_what_has_ended(
    catalog: Catalog,
    home: State,
    supervisor: subprocess.Popen[bytes],
    capsys: Out,
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    doing: str,
) -> None:
    monkeypatch.setattr(composecontainers, "look", lambda *_: [])  # none there yet, or none any more
    own = identify(supervisor.pid)
    begun = RunRecord(engine, own, "", {"web": Entry(GONE, 15, "ready", 1)})
    stopped = replace(begun, address="http://localhost:1", stopping=own)
    state.write(home, begun if doing == "started" else stopped)
    assert local.status(catalog) == Exit.DONE
    out = capsys.readouterr().out
    assert f"the platform is being {doing} by process {own.pid}\n" in out
    assert "`invoke up`" not in out
    document = document_of_status(catalog, capsys, Exit.DONE)
    assert (document["doing"], document["trouble"]) == (f"being {doing} by process {own.pid}", None)
    state.write(home, replace(begun, supervisor=GONE) if doing == "started" else replace(stopped, supervisor=GONE, stopping=GONE))
    assert local.status(catalog) == Exit.FAILED  # who did it has ended before that was done


def test_what_is_written_down_while_status_looks_is_looked_at_again(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = RunRecord("compose", identify(supervisor.pid), "", {})
    ready = [composecontainers.Seen("redis", "running", "healthy", 0, 1)]
    state.write(home, begun)

    def look(*_: object) -> list[composecontainers.Seen]:
        """The containers come up, and `up --detach` is through, just after the first look."""
        up = state.read(home) != begun
        state.write(home, replace(begun, supervisor=GONE, address="http://localhost:1"))
        return ready if up else []

    monkeypatch.setattr(composecontainers, "look", look)
    assert local.status(catalog) == Exit.DONE
    assert "engine: compose, address: http://localhost:1\n" in capsys.readouterr().out


def test_up_starts_everything_again_where_something_has_ended(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, supervisor, killed="user-service")
    (home.data / "kept").touch()
    began: list[bool] = []
    monkeypatch.setattr(embedded, "start", lambda *_: began.append(identify(supervisor.pid).alive))
    assert verb.up(catalog, detach=True) == Exit.DONE
    assert began == [False]  # what ran was stopped before
    assert (home.data / "kept").exists()
    out = capsys.readouterr().out
    assert "user-service has ended: starting everything again; the data stays\n" in out
    assert "runs already" not in out
    assert WHERE in out.splitlines()
    assert str(catalog.root) in home.checkout.read_text()


def test_up_does_not_change_the_engine_of_a_platform_that_has_lost_something(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, supervisor, killed="user-service")
    with pytest.raises(Failure, match="on the embedded engine"):
        verb.up(catalog, engine="compose", detach=True)
    assert identify(supervisor.pid).alive
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer("1"))  # a Docker engine has come up since
    monkeypatch.setattr(facts, "here", lambda _: True)
    monkeypatch.setattr(compose, "start", lambda *_: pytest.fail("the data is the other engine's"))
    monkeypatch.setattr(embedded, "start", lambda *_: None)
    assert verb.up(catalog, detach=True) == Exit.DONE


def test_an_engine_that_there_is_not_is_wrong_usage_before_anything_else(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, supervisor)
    monkeypatch.setattr(state, "opened", lambda _: pytest.fail("nothing is opened"))
    with pytest.raises(UsageError, match="no engine 'foo'"):
        verb.up(catalog, engine="foo", detach=True)


def test_logs_of_this_machine_are_the_end_of_the_file(catalog: Catalog, home: State, capsys: Out) -> None:
    home.log("web").write_text("one\ntwo\nthree, and no line's end")
    assert watch.logs("web", "local", testbed=False, follow=False, tail=2, since="") == Exit.DONE
    assert capsys.readouterr().out == "web | two\nweb | three, and no line's end\n"
    assert local.logs(catalog, "web", follow=False, tail=0) == Exit.DONE
    assert capsys.readouterr().out == ""
    use_json(True)
    try:
        local.logs(catalog, "web", follow=False, tail=1)
    finally:
        use_json(False)
    assert json.loads(capsys.readouterr().out) == {"version": 1, "name": "web", "text": "three, and no line's end"}


def test_logs_are_followed_until_what_writes_them_ends(catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes]) -> None:
    log = home.log("user-service")
    log.write_text("before\nlast\n")
    asked: list[bool] = []

    def going() -> bool:
        asked.append(True)
        with log.open("a") as out:
            out.write(f"half{len(asked)}" if len(asked) == 1 else " and half\nits last word\n")
        return len(asked) < 2

    assert list(follow.lines(log, 1, going)) == ["last", "half1 and half", "its last word"]
    write(home, supervisor)
    assert local.writes(home, "user-service")
    write(home, supervisor, killed="user-service")
    assert not local.writes(home, "user-service")


def test_logs_of_a_container_come_from_the_engine(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home, supervisor, engine="compose")
    asked: list[dict[str, object]] = []

    def logs(**options: object) -> Iterator[bytes]:
        asked.append(options)
        yield from (b"one\ntw", b"o\n", b"three")

    client = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: [SimpleNamespace(logs=logs)]), close=lambda: None)
    monkeypatch.setattr("docker.DockerClient", lambda **_: client)
    assert local.logs(catalog, "web", follow=True, tail=5) == Exit.DONE
    assert capsys.readouterr().out == "web | one\nweb | two\nweb | three\n"
    assert asked == [{"stream": True, "follow": True, "tail": 5}]


@pytest.mark.parametrize(
    ("name", "since", "said"),
    [("nothing-like-it", "", "One of: postgres, "), ("web", "10m", "--tail")],
)
def test_wrong_words_for_the_logs_of_this_machine(home: State, name: str, since: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        watch.logs(name, "local", testbed=False, follow=False, tail=5, since=since)
    assert said in caught.value.remedy


def test_logs_of_what_never_ran_here(catalog: Catalog, home: State) -> None:
    with pytest.raises(Failure, match="has not run on this machine"):
        local.logs(catalog, "web", follow=False, tail=5)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        yield squatter.getsockname()[1]


@pytest.mark.parametrize("alive", [True, False])
def test_the_platform_of_another_checkout_is_named_with_the_remedy(tmp_path: Path, taken: int, alive: bool) -> None:
    own, other = (state.opened(State(tmp_path / name)) for name in ("own", "other"))
    state.keep_checkout(other, Path("/home/me/another checkout"))
    holder = identify(os.getpid())
    holder = holder if alive else replace(holder, started="another time")
    state.write(other, RunRecord("embedded", holder, "", {"postgres": Entry(holder, 15, "ready", taken)}))
    with pytest.raises(Failure) as caught:
        ports.require_free({"postgres": taken, "redis": taken}, own)
    assert ("is taken by the platform of /home/me/another checkout" in caught.value.cause) is alive
    assert (caught.value.remedy.count("Run `invoke down` in /home/me/another checkout") == 1) is alive
    assert ("end that process" in caught.value.remedy.lower()) is not alive
    assert "`localPort` in platform.yaml" in caught.value.remedy


@pytest.mark.parametrize(
    ("pid", "program", "its"),
    [
        (0, "", True),  # Docker's, which this user may not see
        (7, "docker-proxy -proto", True),
        (7, "rootlesskit --net=slirp4netns", True),
        (7, "com.docker.backend", True),
        (7, "postgres -D", False),
    ],
)
def test_the_containers_of_another_checkout_are_known_by_the_port_where_the_engine_has_it(
    tmp_path: Path, taken: int, monkeypatch: pytest.MonkeyPatch, pid: int, program: str, its: bool
) -> None:
    own, other = (state.opened(State(tmp_path / name)) for name in ("own", "other"))
    state.keep_checkout(other, Path("/home/me/another checkout"))
    state.write(other, RunRecord("compose", GONE, "", {"postgres": Entry(Identity(0, ""), 0, "", taken)}))
    monkeypatch.setattr(ports, "holder", lambda _: pid)
    monkeypatch.setattr(ports, "_name", lambda _: program)
    with pytest.raises(Failure) as caught:
        ports.require_free({"postgres": taken}, own)
    assert ("is taken by the platform of /home/me/another checkout" in caught.value.cause) is its
    assert ("Run `invoke down` in /home/me/another checkout" in caught.value.remedy) is its


def test_a_platform_of_processes_is_found_whatever_containers_had_its_ports_before(tmp_path: Path, taken: int) -> None:
    own, *others = (state.opened(State(tmp_path / name)) for name in ("own", "before", "now", "once"))
    containers = RunRecord("compose", GONE, "", {"postgres": Entry(Identity(0, ""), 0, "", taken)})
    process = identify(os.getpid())
    for other in others:
        state.keep_checkout(other, Path("/home/me") / other.folder.name)
        runs = other.folder.name == "now"
        state.write(other, RunRecord("embedded", process, "", {"postgres": Entry(process, 15, "ready", taken)}) if runs else containers)
    with pytest.raises(Failure, match="is taken by the platform of /home/me/now: "):
        ports.require_free({"postgres": taken}, own)


def test_a_service_that_dies_in_the_foreground_is_named_at_the_end_too(capsys: Out) -> None:
    events: SimpleQueue[embedded.Event] = SimpleQueue()
    events.put({"event": "ended", "name": "user-service", "cause": "was killed by SIGKILL", "lines": ["a", "b"]})
    platform = embedded.Platform(None, events)  # type: ignore[arg-type]
    assert embedded._still(platform)
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "user-service was killed by SIGKILL; its last lines:"
    assert lines == ["user-service | a", "user-service | b"]
    assert last.startswith("user-service has ended; the others go on: ")


@pytest.mark.parametrize("told", [True, False])
def test_up_says_whether_the_platform_was_stopped_or_has_ended_by_itself(
    catalog: Catalog, home: State, supervisor: subprocess.Popen[bytes], capsys: Out, told: bool
) -> None:
    events: SimpleQueue[embedded.Event] = SimpleQueue()
    for event in (*(("stopping", "stopped") if told else ()), "gone"):
        events.put({"event": event})
    platform = embedded.Platform(supervisor, events)  # type: ignore[arg-type]
    if told:
        embedded.attend(catalog, home, platform, [])
        assert "the platform was stopped from elsewhere\n" in capsys.readouterr().out
    else:
        with pytest.raises(Failure, match=rf"its supervisor, process {supervisor.pid}, has ended without being told to"):
            embedded.attend(catalog, home, platform, [])
