"""What a session runs: programs of this machine, pytest, a service's own tests; and what two sessions must not use at the same time."""

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nox

from ops import tools
from ops.catalog.model import Image
from ops.checks import trace
from ops.checks.declared import CATALOG
from ops.checks.report import Report
from ops.console import say
from ops.exclusive import exclusive

ROOT = CATALOG.root
TIMEOUT = 30  # seconds in which the programs of a session must end
REPORT = Report(ROOT / ".nox" / "report")
TRACES: dict[str, trace.Trace] = {}


def program(session: nox.Session, *argv: str, env: Mapping[str, str] | None = None) -> None:
    """Run a program of a session, and see what it opens where the session is traced."""
    seen = TRACES.get(session.name)
    prefix = seen.prefix if seen else ()
    if prefix:
        session.log(shlex.join(argv))
    own = {**(seen.environment if seen else {}), **(env or {})}
    session.run(*prefix, *argv, env=own, external=True, interrupt_timeout=TIMEOUT, log=not prefix)


def tool(session: nox.Session, name: str, *arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Run an external program that `ops.tools` finds, fetches or builds."""
    found = tools.find(name)
    with session.chdir(cwd):
        program(session, *found.argv, *arguments, env={**found.env, **(env or {})})


def left_out(session: nox.Session, what: str) -> None:
    """Say that a session does not do a part of its work here: its pass is not kept."""
    session.warn(what)
    REPORT.left_out(session.name, what)


@contextmanager
def apart(what: str, who: str = "") -> Iterator[None]:
    """Hold something that two sessions side by side must not use at the same time. `who`: whom to say that this run waits for."""
    REPORT.folder.mkdir(parents=True, exist_ok=True)
    with exclusive(REPORT.folder / f"{what}.lock", f"waiting for {who}" if who else "", say):
        yield


def workspace(session: nox.Session) -> None:
    """The Node workspace's packages, as its lock file has them."""
    with apart("workspace"):
        tool(session, "pnpm", "install", "--frozen-lockfile", "--prefer-offline")


def pytest(session: nox.Session, *arguments: str, python: str = sys.executable, part: str = "", env: dict[str, str] | None = None) -> None:
    """Run pytest with this session's report; `part` tells several runs of one session apart."""
    report = f"--junitxml={REPORT.junit(session.name, part)}"
    program(session, python, "-m", "pytest", report, *arguments, *session.posargs, env=env)


def own_tests(session: nox.Session, folder: str, *users: Image) -> None:
    """Run the tests in a folder as the stack of its users has them, with every store that these need."""
    from ops import local

    if (ROOT / folder / "package.json").exists():
        workspace(session)
    needs = dict.fromkeys(need for user in users for need in user.needs if need in CATALOG.stores)
    with local.stores(Path(session.create_tmp()), None, list(needs)) as variables:
        report = REPORT.junit(session.name, folder)
        argv = (word.replace("{report}", str(report)) for word in users[0].stack.test)
        tool(session, *argv, cwd=ROOT / folder, env=dict(variables))
