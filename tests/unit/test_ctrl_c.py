"""Ctrl-C while a verb's modules are imported: exit code 130, one word, and no traceback. Asked of real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops import ctrl_c
from ops.catalog import load

ROOT = load().root
INVOKE = Path(sys.executable).with_name("invoke")
# Modules in the order in which a start has imported them: Python's own first, which reads the environment's file, then Invoke, then ours.
MODULES = ("site", "yaml.tokens", "yaml", "invoke.config", "invoke.runners", "invoke.program", "invoke.main", "ops.errors", "ops.bytecode")
DELAYS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # seconds


@pytest.fixture(scope="module", autouse=True)
def started_once() -> None:
    """The environment's file is there from the first start on."""
    subprocess.run((INVOKE, "--list"), cwd=ROOT, check=True, capture_output=True)


def interrupted(argv: tuple[str, ...], module: str, delay: float = 0.0) -> tuple[int, str]:
    """The exit code and the lines of errors of a program that gets SIGINT `delay` seconds after it has imported a module."""
    environment = {**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}  # Python says each module that it has imported
    with subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.rpartition("|")[2].strip() == module:
                break
        else:
            pytest.fail(f"{module} was not imported")
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        said = "".join(line for line in process.stderr if not line.startswith("import time:"))
        return process.wait(60), said


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("start", [(str(INVOKE),), (sys.executable, "-m", "invoke")], ids=["invoke", "python -m invoke"])
def test_while_its_modules_are_imported(start: tuple[str, ...], module: str) -> None:
    assert interrupted((*start, "doctor"), module) == (130, "\ninterrupted\n")


@pytest.mark.parametrize("delay", DELAYS)
def test_at_any_moment_of_a_verb(delay: float) -> None:
    code, said = interrupted((str(INVOKE), "doctor"), "site", delay)
    assert "Traceback" not in said and "KeyboardInterrupt" not in said
    assert code in (130, 0, 1)  # it may be through: then what it found is its code
    if code == 130:
        assert said.endswith("\ninterrupted\n")


def test_other_programs_of_the_environment_are_not_touched() -> None:
    argv = (sys.executable, "-c", "import _signal; assert _signal.getsignal(2) is _signal.default_int_handler")
    subprocess.run(argv, cwd=ROOT, check=True)


def test_another_program_that_imports_the_verbs_keeps_its_handler() -> None:
    code = "import signal; signal.signal(2, mine := lambda *_: None); import tasks; assert signal.getsignal(2) is mine"
    subprocess.run((sys.executable, "-c", code), cwd=ROOT, check=True)


def test_who_ignores_it_goes_on_ignoring_it() -> None:
    begun = "import signal, sys; sys.argv = ['invoke']; from ops import ctrl_c; ctrl_c.end_at_once(); ctrl_c.as_usual()"
    quiet = f"{begun}; assert signal.getsignal(2) is signal.SIG_IGN"
    ignoring = f"import os, signal, sys; signal.signal(2, signal.SIG_IGN); os.execv(sys.executable, (sys.executable, '-c', {quiet!r}))"
    subprocess.run((sys.executable, "-c", ignoring), cwd=ROOT, check=True)


def test_a_verb_that_has_begun_may_tidy_up(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "argv", [str(INVOKE)])
    try:
        ctrl_c.end_at_once()
        assert signal.getsignal(signal.SIGINT) is ctrl_c._leave
        ctrl_c.as_usual()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


ANOTHER = """
import time
from invoke import task

@task
def work(_):
    try:
        print("working", flush=True)
        time.sleep(120)
    finally:
        print("tidied up", flush=True)
"""


@pytest.mark.parametrize(("name", "options"), [("tasks", ()), ("others", ("-c", "others"))])
def test_tasks_that_know_nothing_of_it_may_tidy_up(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    (tmp_path / f"{name}.py").write_text(ANOTHER)
    argv = (str(INVOKE), *options, "work")
    with subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[0] == "tidied up\n"
