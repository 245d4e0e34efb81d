"""A run of the checks that is told to end ends everything it has started; what makes its verdict certain is said at the top."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ops.catalog import load
from ops.checks.certain import certain
from ops.local.process import identify
from ops.tools import find

ROOT = Path(__file__).resolve().parents[2]
CHECKS = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
import noxfile
from noxfile import *
noxfile.CHECKS[:] = ["store", "compiler"]
noxfile.REPORT.folder = Path("report").resolve()
noxfile.PASSES.folder = Path("passes").resolve()

@noxfile.check(tests=True, allow_parallel=True)
def store(session):
    "Tests that have started a server, in a session of its own as servers are."
    noxfile.pytest(session, "test_store.py", "-p", "no:cacheprovider", "--rootdir=.")

@noxfile.check(allow_parallel=True)
def compiler(session):
    "A program that runs for long."
    session.run("sh", "-c", "echo $$ > compiler.pid; exec sleep 600", external=True, interrupt_timeout=noxfile.TIMEOUT)
"""
# A signal that `nohup` or a shell's `&` made these tests ignore is ignored by whatever they start, unless that is told otherwise.
HEEDING = (
    *(sys.executable, "-c"),
    "import os, signal, sys\n"
    "for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(one, signal.SIG_DFL)\n"
    "os.execvp(sys.argv[1], sys.argv[1:])",
)
STORE = f"""
import subprocess, sys, time
from pathlib import Path
import pytest
sys.path.insert(0, {str(ROOT)!r})
from ops.checks.ending import as_ctrl_c
as_ctrl_c()

@pytest.fixture
def server():
    child = subprocess.Popen(("sleep", "600"), start_new_session=True)
    Path("server.pid").write_text(str(child.pid))
    yield child
    time.sleep(3)  # longer than Nox waits by itself
    child.kill()
    child.wait()
    Path("cleared").touch()

def test_long(server):
    Path("pytest.pid").write_text(str(__import__("os").getpid()))
    server.wait()
"""


def alive(pid: int) -> bool:
    return identify(pid).alive


def until(what: str, done: object, seconds: float = 60) -> None:
    assert callable(done)
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("told", ["SIGTERM to uv", "SIGTERM to all", "SIGHUP twice", "Ctrl-C"])
def test_everything_ends_with_a_run_that_is_told_to_end(tmp_path: Path, told: str) -> None:
    (tmp_path / "noxfile.py").write_text(CHECKS)
    (tmp_path / "test_store.py").write_text(STORE)
    uv = (*find("uv").argv, "run", "--quiet", "--no-sync", "--project", str(ROOT)) if told == "SIGTERM to uv" else (sys.executable, "-m")
    with (tmp_path / "output").open("w") as output:
        argv = (*HEEDING, *uv, "nox", "-s", "ci")
        run = subprocess.Popen(argv, cwd=tmp_path, stdout=output, stderr=output, start_new_session=True)
    files = [tmp_path / name for name in ("server.pid", "pytest.pid", "compiler.pid")]
    try:
        until("all has started", lambda: all(file.exists() and file.read_text().strip() for file in files))
        pids = [int(file.read_text()) for file in files]
        assert all(alive(pid) for pid in pids)
        number = signal.SIGINT if told == "Ctrl-C" else getattr(signal, told.partition(" ")[0])
        if told in ("SIGTERM to all", "Ctrl-C"):
            os.killpg(run.pid, number)
        else:
            run.send_signal(number)
        if told == "SIGHUP twice":
            until("the first was taken", lambda: not alive(pids[2]))
            run.send_signal(number)
        assert run.wait(60) != 0
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == [], (tmp_path / "output").read_text()
    assert (tmp_path / "cleared").exists(), (tmp_path / "output").read_text()
    assert not (tmp_path / "passes").exists()  # what was interrupted is no pass


def test_what_cannot_pass_is_said_before_anything_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("E2E_BASE_URL", raising=False)
    catalog = load()
    with socket.socket() as holder:
        monkeypatch.setattr("ops.testbed.running", SimpleNamespace)
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        monkeypatch.setattr("ops.local.plan.ports", lambda _: {"web": holder.getsockname()[1]})
        said = [str(known) for known in certain(catalog)]
    assert said[0] == "lifecycle will fail: it would end the testbed that runs here\nnext: End it: `invoke testbed.down`."
    assert said[1].startswith("e2e will fail: ports of the platform are in use: ") and said[1].endswith("`invoke down`.")
    monkeypatch.setattr("ops.local.plan.ports", lambda _: {})
    monkeypatch.setattr("ops.testbed.running", lambda: None)
    monkeypatch.setattr("ops.testbed.provider", lambda: None)
    monkeypatch.setattr("ops.testbed.reason", lambda provider: f"{provider} needs root")
    (known,) = certain(catalog)
    assert known.sessions == ("integration", "platform", "new_services", "lifecycle") and "native needs root" in known.why


def test_it_is_said_at_the_top_and_the_other_sessions_are_run(tmp_path: Path) -> None:
    quick = CHECKS.replace("sleep 600", "true").replace('["store", "compiler"]', '["compiler"]')
    taken = "noxfile.certain = lambda _: [noxfile.Certain(('compiler',), 'a testbed runs', 'End it.')]\n"
    (tmp_path / "noxfile.py").write_text(quick + taken)
    done = subprocess.run(
        (sys.executable, "-m", "nox", "-s", "ci"), cwd=tmp_path, stdout=-1, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.stdout.index("compiler will fail: a testbed runs") < done.stdout.index("Running session compiler")
    assert done.returncode == 0, done.stdout
