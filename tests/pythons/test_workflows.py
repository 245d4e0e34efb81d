"""The workflows of GitHub Actions start: their first steps are run as they are written, each on the Python that it names."""

import json
import os
import re
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.checks.files import tracked
from ops.checks.matrix import matrix
from ops.checks.pythons import NEWEST, OLDEST, installed
from ops.tools import find
from tests.copied import copy_without_sources

ROOT = Path(__file__).parents[2]
FILES = tracked(ROOT, ".github/workflows/*.yml")
EXPRESSION = re.compile(r"\$\{\{ (.+?) \}\}")


@cache
def workflow(file: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / file).read_text())
    return document


@cache
def checks(tag: str) -> tuple[dict[str, str], ...]:
    return tuple(matrix(tag))


def pythons(step: dict[str, Any]) -> list[str]:
    """The versions that a step of actions/setup-python is given."""
    named = str(step["with"]["python-version"])
    if named == "${{ matrix.check.python }}":
        return sorted({entry["python"] for entry in checks("check")})
    assert EXPRESSION.search(named) is None, named
    return [named]


def value(text: str) -> str:
    """What GitHub makes of a value; of its expressions those that a first step has."""
    known = {r"github.event_name == 'push' .* && 'quick' \|\| 'check'": "check"}
    return EXPRESSION.sub(lambda found: next(result for pattern, result in known.items() if re.fullmatch(pattern, found[1])), text)


def starts() -> dict[tuple[str, str, str], list[str]]:
    """By Python, commands and environment: the jobs that start so. What comes after the listing needs secrets, or is a check of its own."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for file in FILES:
        for name, job in workflow(file)["jobs"].items():
            steps = job.get("steps", [])
            at = next((n for n, step in enumerate(steps) if str(step.get("uses", "")).startswith("actions/setup-python@")), None)
            if at is None:
                continue
            commands = [step for step in steps[at:] if "run" in step]
            first = [commands[0]] + [step for step in commands[1:2] if "ops.checks.matrix" in step["run"]]
            env = {**workflow(file).get("env", {}), **{key: value(text) for step in first for key, text in step.get("env", {}).items()}}
            for version in pythons(steps[at]):
                key = (version, "\n".join(step["run"] for step in first), json.dumps(env, sort_keys=True))
                found.setdefault(key, []).append(f"{Path(file).stem}.{name}")
    return found


def test_every_job_that_runs_the_build_system_is_among_them() -> None:
    users = {
        f"{Path(file).stem}.{name}"
        for file in FILES
        for name, job in workflow(file)["jobs"].items()
        if any("uv run" in str(step.get("run", "")) for step in job.get("steps", []))
    }
    assert users == {job for jobs in starts().values() for job in jobs}
    assert users


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    copy_without_sources(folder)
    return folder


def interpreter(version: str) -> Path:
    here = installed()
    minor = int(version.partition(".")[2])
    if minor not in here:
        nearest = min(here, key=lambda other: abs(other - minor))
        warnings.warn(f"Python {version} is not on this machine: tried with 3.{nearest}", stacklevel=2)
        return here[nearest]
    return here[minor]


@pytest.mark.parametrize(("version", "commands", "given"), starts(), ids=["+".join(jobs) + "-" + key[0] for key, jobs in starts().items()])
def test_the_first_steps_run_as_they_are_written(checkout: Path, tmp_path: Path, version: str, commands: str, given: str) -> None:
    python = interpreter(version)
    # As setup-python leaves a runner: that Python and its pip are the first on PATH, and nothing of this environment is.
    # The pip is that of an environment, so that the machine's own Python gets nothing; uv takes no Python of an environment for a project.
    subprocess.run((*find("uv").argv, "venv", "--quiet", "--seed", "--python", python, tmp_path / "pip"), check=True)
    (tmp_path / "first").mkdir()
    for name in ("pip", "uv"):
        (tmp_path / "first" / name).symlink_to(tmp_path / "pip" / "bin" / name)
    others = [folder for folder in os.environ["PATH"].split(os.pathsep) if not Path(folder).is_relative_to(Path(sys.prefix))]
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("UV_", "VIRTUAL_ENV", "NOX", "PYTHON", "PYTEST"))}
    output = tmp_path / "output"
    environment = {
        **kept,
        **json.loads(given),
        "PATH": os.pathsep.join((str(tmp_path / "first"), str(python.resolve().parent), *others)),
        "GITHUB_OUTPUT": str(output),
        "UV_PROJECT_ENVIRONMENT": str(tmp_path / "project"),
    }
    # As GitHub runs a step: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#defaultsrunshell
    script = f"{commands}\nuv run python --version\nuv run invoke --list\nuv run nox --list\n"
    done = subprocess.run(
        ("bash", "-e", "-c", script), cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=400
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Python 3.{python_minor(python)}." in done.stdout
    assert "deploy" in done.stdout and "* ci" in done.stdout
    if "GITHUB_OUTPUT" in commands:
        (line,) = output.read_text().splitlines()
        assert json.loads(line.removeprefix("list=")) == list(checks("check"))


def python_minor(python: Path) -> int:
    done = subprocess.run((python, "-I", "-c", "import sys; print(sys.version_info.minor)"), capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_the_quick_sessions_run_on_the_oldest_and_the_newest_python() -> None:
    quick = checks("quick")
    names = {entry["session"] for entry in quick}
    assert {"lint", "typecheck", "tests"} <= names
    for name in names:
        assert [entry["python"] for entry in quick if entry["session"] == name] == [f"3.{OLDEST}", f"3.{NEWEST}"]
    every = checks("check")
    assert {entry["session"] for entry in every} > names
    assert all(entry in every for entry in quick)
