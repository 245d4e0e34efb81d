"""Ctrl-C, pressed once and twice: stopping comes to its end, builds do not, and what is said of it is so."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops import catalog as catalogue
from ops.command import Command
from ops.errors import Failure
from ops.local import builds, compose, embedded, facts, state
from ops.local.interrupt import Children
from ops.local.process import Process, identify
from ops.local.ready import Probe
from ops.local.state import Entry, RunRecord, State
from ops.stacks import Built, Recipe
from ops.verbs import up as verb

ROOT = Path(__file__).parents[2]

# `up` in the foreground, with a docker of the test's own.
ATTEND = """
import os, signal, subprocess, sys
from pathlib import Path
from types import SimpleNamespace
from ops import catalog
from ops.local import compose, composecontainers, state
from ops.verbs import up as verb
from ops.local.process import identify
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests run in the background
home = state.opened(state.State(Path(sys.argv[1])))
state.write(home, state.RunRecord("compose", identify(os.getpid()), "", {}))
compose.find = lambda _: SimpleNamespace(argv=(sys.argv[2],), env={})
composecontainers.look = lambda *_: []

class Follower(subprocess.Popen):
    def wait(self, timeout=None):
        print("following", flush=True)
        return super().wait(timeout)

compose.subprocess.Popen = Follower
with verb._ctrl_c_on_terminate(), verb._remaining_named(home):
    compose.attend(catalog.load(), home, [])
"""
DOCKER = """#!/bin/sh
case "$*" in
    *logs*) exec sleep 600 ;;
    *down*) echo > "$0.began"; until [ -e "$0.pressed" ]; do sleep 0.05; done; echo > "$0.ended" ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path) -> State:
    return state.opened(State(tmp_path / "state"))


@pytest.fixture(autouse=True)
def keyboard() -> Iterator[None]:
    """A shell that puts its commands into the background makes them ignore Ctrl-C."""
    former = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stopping_the_containers_comes_to_its_end_whatever_is_pressed_meanwhile(home: State, tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    argv = (sys.executable, "-c", ATTEND, str(home.folder), str(docker))
    up = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        assert up.stdout
        assert any("following" in line for line in up.stdout)
        os.killpg(up.pid, signal.SIGINT)  # as a terminal does it: whoever is in its foreground gets it
        until(lambda: Path(f"{docker}.began").exists())
        os.killpg(up.pid, signal.SIGINT)
        os.killpg(up.pid, signal.SIGTERM)
        Path(f"{docker}.pressed").touch()
        said, _ = up.communicate(timeout=60)
    finally:
        up.kill()
        Path(f"{docker}.pressed").touch()
    assert up.returncode == 0, said
    assert Path(f"{docker}.ended").exists()
    assert not home.record.exists()


@pytest.mark.parametrize("begun", [True, False])
def test_ctrl_c_before_the_logs_are_followed_stops_the_containers_too(home: State, monkeypatch: pytest.MonkeyPatch, begun: bool) -> None:
    stopped: list[State] = []

    def press(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(compose, "find", (lambda _: SimpleNamespace(argv=("docker",), env={})) if begun else press)
    monkeypatch.setattr("ops.local.compose.subprocess.Popen", press)
    monkeypatch.setattr(compose, "stop", lambda _, found, **__: stopped.append(found))
    try:
        compose.attend(catalogue.load(), home, [])
    except KeyboardInterrupt:
        pytest.fail("it got through")
    assert stopped == [home]


@pytest.fixture
def pressed_twice(home: State, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What becomes of a platform that takes its time to stop, on a machine without Docker, when Ctrl-C comes twice meanwhile."""
    became: list[str] = []

    def stop(_: State) -> int:
        for _press in range(2):
            signal.raise_signal(signal.SIGINT)
        became.append("stopped")
        home.record.unlink(missing_ok=True)
        return 3

    monkeypatch.setenv("NEXTAI_STATE", str(home.folder))
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer(trouble="none"))
    monkeypatch.setattr(embedded, "stop", stop)
    monkeypatch.setattr(embedded, "start", lambda *_: became.append("started"))
    return became


@pytest.mark.parametrize("volumes", [True, False])
def test_down_comes_to_the_end_of_stopping_and_removes_nothing_after_ctrl_c(home: State, pressed_twice: list[str], volumes: bool) -> None:
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted; stopped 3 processes$"):
        verb.down(catalogue.load(), volumes=volumes, yes=True)
    assert pressed_twice == ["stopped"]
    assert home.data.exists()


def test_up_that_starts_everything_again_only_stops_it_after_ctrl_c(home: State, pressed_twice: list[str]) -> None:
    own = identify(os.getpid())
    state.write(home, RunRecord("embedded", own, "http://localhost:1", {"web": Entry(replace(own, started="once"), 15, "ended")}))
    with pytest.raises(KeyboardInterrupt, match=r"^interrupted; stopped 3 processes$"):
        verb.up(catalogue.load(), detach=True)
    assert pressed_twice == ["stopped"]


def test_what_an_interrupted_command_says_of_what_is_left_is_so(home: State) -> None:
    for left, said in (
        (False, "nothing that this command started was left running"),
        (True, "something may still run: `invoke down` ends it"),
    ):
        if left:
            state.write(home, RunRecord("compose", identify(os.getpid()), "", {}))
        with pytest.raises(KeyboardInterrupt, match=said), verb._ctrl_c_on_terminate(), verb._remaining_named(home):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()


def test_a_signal_that_nohup_has_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with verb._ctrl_c_on_terminate():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def building(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let every service be built by a script, two at the same time, that first writes down who it is and what it starts."""
    commands = f'echo $$ > "$1"; sleep 20 & echo $! >> "$1"; {script}'

    def recipe(_c: object, _s: object, service: catalogue.Service) -> Recipe:
        command = Command(("sh", "-c", commands, "sh", str(folder / service.name)), f"building {service.name}")
        return Recipe((command,), Built(("x",), folder), folder / service.name, ())

    monkeypatch.setattr(builds, "recipe", recipe)
    monkeypatch.setattr("ops.local.builds.os.cpu_count", lambda: 2)


def written(folder: Path) -> list[int]:
    return [int(pid) for file in folder.iterdir() for pid in file.read_text().split()]


def test_ctrl_c_ends_the_builds_and_starts_none_that_waits(home: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "builds"
    folder.mkdir()
    building(folder, monkeypatch, "wait")
    catalog = catalogue.load()
    assert len(catalog.services) > 2

    def press() -> None:
        until(lambda: len(written(folder)) == 4)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        builds.build(catalog, home, lambda *_: None)
    presser.join()
    assert time.monotonic() - began < 19  # what each started sleeps for 20 s
    assert len(written(folder)) == 4  # two builds, and what each had started
    until(lambda: not any(identify(pid).alive for pid in written(folder)))


def test_a_build_that_fails_lets_none_start_that_waits(home: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "builds"
    folder.mkdir()
    catalog = catalogue.load()
    first, *_ = catalog.services
    building(folder, monkeypatch, f'kill $!; case "$1" in */{first}) echo broken >&2; exit 3 ;; esac; sleep 1')
    with pytest.raises(Failure, match=f"building {first}") as caught:
        builds.build(catalog, home, lambda *_: None)
    assert caught.value.cause == "`sh` exited 3\nbroken"
    assert len(list(folder.iterdir())) < len(catalog.services)


def test_a_command_that_takes_too_long_or_is_not_there_is_told() -> None:
    children = Children()
    assert children.run(Command(("echo", "here"), "speaking")).stdout == "here\n"
    with pytest.raises(Failure, match=r"`sleep` gave no answer within 0\.1 s"):
        children.run(Command(("sleep", "60"), "sleeping"), timeout=0.1)
    with pytest.raises(Failure, match="no-such-program: not found"):
        children.run(Command(("no-such-program",), "trying"))
    children.end()
    with pytest.raises(Failure, match="it was interrupted"):
        children.run(Command(("echo",), "speaking"))


@pytest.mark.parametrize("error", [Failure, KeyboardInterrupt])
def test_a_command_that_is_cut_short_leaves_neither_a_process_nor_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    started: list[subprocess.Popen[str]] = []
    awaited = tmp_path / "awaited"

    class Child(subprocess.Popen[str]):
        def communicate(self, *words: Any, **how: Any) -> tuple[str, str]:
            started.append(self)
            awaited.touch()
            return super().communicate(*words, **how)

    monkeypatch.setattr("ops.local.interrupt.subprocess.Popen", Child)
    script = "sleep 60" if error is Failure else 'until [ -e "$0" ]; do sleep 0.02; done; kill -INT $PPID; sleep 60'
    with pytest.raises(error):
        Children().run(Command(("sh", "-c", script, str(awaited)), "sleeping"), timeout=0.2 if error is Failure else None)
    (child,) = started
    assert child.returncode is not None
    assert child.stdout and child.stdout.closed
    assert child.stderr and child.stderr.closed


def test_the_supervisor_writes_down_that_it_stops_before_it_ends_anything(home: State, tmp_path: Path) -> None:
    begun, going = tmp_path / "begun", tmp_path / "may go"
    slow = 'trap \'until [ -e "$1" ]; do sleep 0.02; done; exit\' TERM; echo > "$2"; while :; do sleep 0.02; done'
    process = Process(
        "web", ("sh", "-c", slow, "sh", str(going), str(begun)), "/", dict(os.environ), Probe("command", argv=("test", "-e", str(begun)))
    )
    document = {
        "state": str(home.folder),
        "address": "http://localhost:1",
        "processes": [process.document()],
    }
    argv = (sys.executable, "-m", "ops.local.supervisor")
    supervisor = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert supervisor.stdin and supervisor.stdout
        supervisor.stdin.write(json.dumps(document))
        supervisor.stdin.close()
        assert any('"up"' in line for line in supervisor.stdout)
        assert current_doing(home) == ""
        supervisor.terminate()
        until(lambda: current_doing(home) == f"being stopped by process {supervisor.pid}")
        going.touch()
        assert supervisor.wait(30) == 0
    finally:
        going.touch()
        supervisor.kill()
    assert not home.record.exists()


def current_doing(home: State) -> str:
    record = state.read(home)
    assert record
    return record.doing


def test_processes_that_wait_for_each_other_are_told_and_not_waited_for(home: State) -> None:
    home.log("web").write_text("of an earlier run\n")
    processes = [
        Process("migrate", ("true",), "/", dict(os.environ), kind="job"),
        Process("web", ("sleep", "60"), "/", needs=("migrate", "api")),
        Process("api", ("sleep", "60"), "/", needs=("web",)),
    ]
    document = {"state": str(home.folder), "address": "", "processes": [process.document() for process in processes]}
    argv = (sys.executable, "-m", "ops.local.supervisor")
    done = subprocess.run(argv, cwd=ROOT, input=json.dumps(document), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1, done.stderr
    failed = json.loads(done.stdout.splitlines()[-1])
    assert failed == {
        "event": "failed",
        "name": "web",
        "cause": "can never start: web waits for api; api waits for web (`needs` in platform.yaml)",
        "lines": [],
    }
