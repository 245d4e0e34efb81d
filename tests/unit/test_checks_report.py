"""What a session leaves for the table, and that the table comes whatever came of the sessions."""

import subprocess
import sys
from pathlib import Path

import pytest

from ops.checks.report import Report
from ops.errors import Failure

ROOT = Path(__file__).resolve().parents[2]
SKIPS = """
import pytest
@pytest.mark.parametrize("number", range(3))
def test_cluster(number):
    pytest.skip("no testbed on this machine: it needs root" if number else "you have one running")
"""
CHECKS = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
import noxfile
from noxfile import *
noxfile.CHECKS[:] = ["sound", "skipped"]
noxfile.REPORT.folder = Path("report").resolve()
noxfile.PASSES.folder = Path("passes").resolve()

@noxfile.check(allow_parallel=True)
def sound(session):
    "Finds nothing."

@noxfile.check(tests=True, allow_parallel=True)
def skipped(session):
    "Has no cluster."
    noxfile.pytest(session, "test_skips.py", "-p", "no:cacheprovider", "--rootdir=.")
"""


def run_pytest(report: Path, test: Path) -> None:
    argv = (sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", str(test))
    subprocess.run(argv, cwd=test.parent, check=True, capture_output=True)


def test_a_session_whose_tests_were_all_skipped_fails_with_each_reason_once_and_what_to_do(tmp_path: Path) -> None:
    report = Report(tmp_path / "report")
    (tmp_path / "test_skips.py").write_text(SKIPS)
    with pytest.raises(Failure) as raised, report.session("integration", tests=True):
        run_pytest(report.junit("integration"), tmp_path / "test_skips.py")
    assert raised.value.cause == "every test was skipped: you have one running; no testbed on this machine: it needs root"
    assert "root on Linux" in raised.value.remedy and "`invoke testbed.down`" in raised.value.remedy
    assert [(outcome.passed, outcome.skipped) for outcome in report.outcomes()] == [(0, 3)]


def test_a_session_that_ran_none_fails(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="no test ran"), Report(tmp_path).session("tests", tests=True):
        pass


def test_ci_fails_and_shows_its_table_when_a_check_has_failed(tmp_path: Path) -> None:
    (tmp_path / "noxfile.py").write_text(CHECKS.format(root=str(ROOT)))
    (tmp_path / "test_skips.py").write_text(SKIPS)
    argv = (sys.executable, "-m", "nox", "--session", "ci")
    done = subprocess.run(argv, cwd=tmp_path, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1, done.stdout
    assert "every test was skipped: you have one running" in done.stdout
    assert "next: Do what the reason says" in done.stdout
    assert "0 passed, 0 failed, 3 skipped" in done.stdout
