"""The builder's process: how its end is told, and that it does not outlive the verb."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from ops.command import Command
from ops.errors import Failure
from ops.images import bake

T = TypeVar("T")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        ("kill -9 $$", "`sh` was ended by SIGKILL"),
        ("exit 3", "`sh` exited 3 without the error of a step"),
        ("echo 'ERROR: no builder' >&2; exit 1", "`sh` exited 1 without the error of a step\nERROR: no builder"),
    ],
)
def test_how_the_builder_ended_is_told_where_no_step_failed(tmp_path: Path, script: str, cause: str) -> None:
    with pytest.raises(Failure) as raised:
        bake.run(Command(("sh", "-c", script), "building", stdin="{}"), tmp_path / "metadata", lambda _: None)
    assert raised.value.cause == cause
    assert ("memory" in raised.value.remedy) == ("SIGKILL" in cause)


@pytest.mark.parametrize(
    ("words", "runs"),
    [
        (
            "failed to push 127.0.0.1:5000/a: unexpected status from POST request to http://x/v2/a/blobs/: 503 Service Unavailable",
            2,
        ),
        ("failed to do request: Head http://x/v2/a: read tcp 127.0.0.1:1: connection reset by peer", 2),
        ("failed to push 127.0.0.1:5000/a: unexpected status from PUT request: 401 Unauthorized", 1),
        ("npm error code 500: EOF", 1),
        ("npm error code EAI_AGAIN", 2),
        (f'image "moby-dangling@sha256:{"0a" * 32}": already exists', 2),
    ],
)
def test_a_build_that_a_registry_ended_is_run_again_where_that_may_pass(tmp_path: Path, words: str, runs: int) -> None:
    metadata = tmp_path / "metadata"
    script = f"""echo x >>count; [ "$(wc -l <count)" = 2 ] && echo '{{}}' >{metadata} && exit; echo '{words}' >&2; exit 1"""
    command = Command(("sh", "-c", script), "building", cwd=tmp_path, stdin="{}")
    if runs == 2:
        assert bake.run(command, metadata, lambda _: None) == {}
    else:
        with pytest.raises(Failure, match=words[:20]):
            bake.run(command, metadata, lambda _: None)
    assert len((tmp_path / "count").read_text().split()) == runs


def test_the_builder_ends_with_a_verb_that_is_killed(tmp_path: Path) -> None:
    # As the builder does, the script first reads what to build: the verb sends it once it is ready, and a killed one ends it.
    program = f"""
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from ops.command import Command
        from ops.images import bake
        script = "cat >/dev/null; echo $$ > ids.new && mv ids.new ids; exec sleep 300"
        bake.run(Command(("sh", "-c", script), "building", cwd=Path({str(tmp_path)!r}), stdin=""), Path("none"), print)
    """
    verb = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)])
    ids = until(lambda: (tmp_path / "ids").read_text().split() if (tmp_path / "ids").exists() else None)
    verb.send_signal(signal.SIGKILL)
    verb.wait()
    until(lambda: not any(alive(int(pid)) for pid in ids))


def until(ask: Callable[[], T | None], seconds: float = 60) -> T:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := ask():
            return answer
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def alive(pid: int) -> bool:
    """Whether a process runs. One that nobody waits for any more stays a while as a zombie, which does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
