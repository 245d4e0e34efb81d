"""The checks: one session each. `nox -s ci` runs them all; GitHub Actions runs the same sessions.

Every session uses the environment that `uv run` made from `uv.lock`: one lock, one environment, nothing installed twice.
"""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nox
import nox._parallel

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from ops.bytecode import keep_for_children  # noqa: E402
from ops.checks import decisions, dockerfiles, ending, passes  # noqa: E402
from ops.checks.attempt import Declared, attempt  # noqa: E402
from ops.checks.certain import Certain, certain  # noqa: E402, F401
from ops.checks.files import tracked  # noqa: E402
from ops.checks.reads import DOCUMENTS, EVERYTHING, Reads, own, without_sources  # noqa: E402
from ops.checks.report import show, slug  # noqa: E402
from ops.console import say  # noqa: E402
from ops.errors import Failure  # noqa: E402

GO_MODULES = ("services/*/go.mod", "packages/*/go.mod")
nox.needs_version = ">=2026.8.17"
nox.options.default_venv_backend = "none"
nox.options.error_on_external_run = False
nox.options.sessions = ["ci"]

try:  # both read platform.yaml
    from ops.checks.declared import (
        AT_NIGHT,
        CATALOG,
        FAULTS,
        LIFECYCLE,
        NEW,
        PACKAGES,
        PLATFORM,
        TESTED,
        WITHOUT_TESTBED,
        of_package,
        of_service,
        of_testbed,
        of_units,
        tests_but,
    )
    from ops.checks.programs import REPORT, TIMEOUT, TRACES, apart, left_out, own_tests, program, pytest, tool, workspace
except Failure as failure:
    sys.exit(f"error: {failure.doing}\n{failure.cause}\nnext: {failure.remedy}")
PASSES = passes.of(ROOT)
ending.remember_ctrl_c()
ending.as_ctrl_c()  # this Nox, and that of each session
# Nox kills a session's programs 2 s after it has told them to end: a testbed and a platform take longer to be gone.
nox._parallel._TERMINATE_TIMEOUT = TIMEOUT
keep_for_children(ROOT / ".nox" / "bytecode")  # the sessions start hundreds of Pythons
# In the order of their beginning: first those that may have to build Trivy and Kubernetes, then the long ones; e2e, which builds the web
# server, after typecheck, which writes types there. A session that may not run beside others (it has enough to do) comes last.
CHECKS = [
    *("scan", "typecheck", "lifecycle", "local", "tests", "pythons", "e2e"),
    *(f"services({name})" for name in TESTED),
    *(f"packages({Path(folder).name})" for folder in PACKAGES),
    *("lint", "vulnerabilities", "manifests", "platform", "integration", "faults", "new_services"),
]
# What a session reads of the checkout, by its function's name: the session itself, and `ci`, which asks whether it must run.
DECLARED: dict[str, Callable[..., Reads]] = {}


def check(
    *,
    tests: bool = False,
    quick: bool = False,
    traced: bool = False,
    compared: bool = True,
    strict: bool = True,
    reads: Callable[..., Reads] = lambda: EVERYTHING,
    **options: object,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A session that is timed and counted, whose errors are told without a traceback, and whose pass is kept.

    `quick`: worth it at each push to a branch. What its Pythons look at is compared with what it `reads`, unless it is not `compared`;
    `traced`: so is what its other programs open. Where it has looked at more, it fails if it is `strict`, and its pass is not kept.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        DECLARED[function.__name__] = reads

        @functools.wraps(function)
        def body(session: nox.Session, **arguments: str) -> None:
            try:
                declared = Declared(reads(**arguments), tests, traced, compared, strict)
                with (
                    apart(slug(session.name)),  # its reports are in one place
                    attempt(session.name, declared, PASSES, report=REPORT, keep=not session.posargs, warn=session.warn) as TRACES[
                        session.name
                    ],
                ):
                    function(session, **arguments)
            except Failure as failure:
                session.error(f"while {failure.doing}: {failure.cause}\nnext: {failure.remedy}")

        return nox.session(tags=["check", *(["quick"] if quick else [])], **options)(body)  # type: ignore[call-overload, no-any-return]

    return decorate


def declared_of(session: str) -> Reads:
    """What a session reads: "lint", "services(web)"."""
    name, _, argument = session.rstrip(")").partition("(")
    return DECLARED[name](*([argument] if argument else []))


@check(quick=True, traced=True, allow_parallel=True)
def lint(session: nox.Session) -> None:
    """Every language's linter, and whether the derived files are what the catalogue says."""
    run = functools.partial(tool, session)
    program(session, sys.executable, "-m", "invoke", "sync", "--check")
    program(session, sys.executable, "-m", "ruff", "check", ".")
    program(session, sys.executable, "-m", "ruff", "format", "--check", ".")
    program(session, str(Path(sys.executable).with_name("lint-imports")), "--no-cache")
    workspace(session)
    run("biome", "ci", "--error-on-warnings", "--diagnostic-level=warn", "--colors=off", ".")
    for folder in sorted({Path(name).parent for name in tracked(ROOT, *GO_MODULES)}):
        run("go", "vet", "./...", cwd=ROOT / folder)
        run("staticcheck", "./...", cwd=ROOT / folder)
    dockerfiles.check(CATALOG)
    decisions.check(ROOT)
    run("hadolint", *tracked(ROOT, "*.Dockerfile", "*/Dockerfile", ":!tests"))
    run("yamllint", "--strict", *tracked(ROOT, "*.yml", "*.yaml", ":!pnpm-lock.yaml"))
    run("shellcheck", *tracked(ROOT, "*.sh", ".ci/run"))
    # GitHub's newer key, which actionlint does not know yet (rhysd/actionlint#657); tests/unit/test_second_homes.py looks at its value.
    run("actionlint", "-ignore", 'unexpected key "queue" for "concurrency" section', *tracked(ROOT, ".github/workflows/*.yml"))
    run("zizmor", "--offline", "--quiet", ".github")


@check(quick=True, traced=True, reads=lambda: Reads((*DOCUMENTS, "k8s/*", "tests/golden/*", "tests/data/*")), allow_parallel=True)
def typecheck(session: nox.Session) -> None:
    """mypy --strict, tsc and go build."""
    program(session, sys.executable, "-m", "mypy")
    workspace(session)
    tool(session, "pnpm", "--recursive", "run", "typecheck")
    for file in tracked(ROOT, *GO_MODULES):
        tool(session, "go", "build", "./...", cwd=(ROOT / file).parent)
    for file in tracked(ROOT, "services/*/pyproject.toml"):
        tool(session, "uv", "run", "--locked", "mypy", cwd=(ROOT / file).parent)


# Not compared: some of its tests make the keys of all images, and so read every source, whatever is in it.
@check(tests=True, compared=False, quick=True, reads=of_units, allow_parallel=True)
def tests(session: nox.Session) -> None:
    """The build system's own tests that need no cluster and no browser."""
    workers = "1" if session.parallel else "2"
    pytest(session, "tests/unit", "-n", workers)


@check(tests=True, compared=False, reads=of_units, allow_parallel=True)
def pythons(session: nox.Session) -> None:
    """The first steps of the workflows as they are written, and the unit tests on the oldest and the newest Python of this machine."""
    from ops.checks.pythons import NEWEST, fetched, installed

    try:
        fetched()
    except Failure as failure:
        left_out(session, f"Python 3.{NEWEST} is not tried: {failure.cause}")
    pytest(session, "tests/pythons")
    here = installed()
    for minor in sorted({min(here), max(here)} - {sys.version_info.minor}):  # the session `tests` runs them on this one
        home = ROOT / ".nox" / f"python-3.{minor}"
        own = {"UV_PROJECT_ENVIRONMENT": str(home), "VIRTUAL_ENV": str(home), "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"}
        tool(session, "uv", "sync", "--locked", "--quiet", "--python", str(here[minor]), env=own)
        pytest(session, "tests/unit", "-n", "1" if session.parallel else "2", python=f"{home}/bin/python", part=f"3.{minor}", env=own)


@check(tests=True, traced=True, reads=of_service, allow_parallel=True)
@nox.parametrize("service", list(TESTED), ids=list(TESTED))
def services(session: nox.Session, service: str) -> None:
    """A service's own tests, or a job's, by its stack's runner, against real stores."""
    entry = TESTED[service]
    own_tests(session, entry.path, entry)


@check(tests=True, traced=True, reads=of_package, allow_parallel=True)
@nox.parametrize("package", list(PACKAGES), ids=[Path(folder).name for folder in PACKAGES])
def packages(session: nox.Session, package: str) -> None:
    """A shared package's own tests, once, by the runner of the services that take it."""
    own_tests(session, package, *PACKAGES[package])


@check(tests=True, traced=True, reads=lambda: without_sources(CATALOG, *DOCUMENTS, *tests_but("manifests")), allow_parallel=True)
def manifests(session: nox.Session) -> None:
    """Every overlay builds, fits the API's schemas, names known images only, and keeps the variable contract."""
    pytest(session, "tests/manifests")


@check(allow_parallel=True)
def scan(session: nox.Session) -> None:
    """Trivy: misconfiguration, secrets and licences."""
    from ops.checks.scan import arguments, database, rendered

    for words in arguments(database(), rendered(CATALOG, Path(session.create_tmp()) / "manifests")):
        tool(session, "trivy", *words)


@check(reads=lambda: Reads(days=True), allow_parallel=True)
def vulnerabilities(session: nox.Session) -> None:
    """Trivy: what is known today of the locked packages, where its database can be had."""
    from ops.checks.scan import OFFLINE, database, refresh
    from ops.checks.scan import vulnerabilities as words

    if refresh(database()):
        tool(session, "trivy", *words(database()))
    else:
        left_out(session, OFFLINE)


@check(tests=True, strict=False, reads=of_testbed, allow_parallel=True)
def local(session: nox.Session) -> None:
    """The embedded engine and the migrations, against real stores."""
    pytest(session, *WITHOUT_TESTBED)


@check(tests=True, strict=False, reads=of_testbed, allow_parallel=True)
def lifecycle(session: nox.Session) -> None:
    """The testbed after a crash, and after its end."""
    with apart("network"):  # a browser gives up what it is loading when an interface comes or goes
        pytest(session, LIFECYCLE)


@check(tests=True, strict=False, reads=lambda: Reads((*DOCUMENTS, *tests_but("integration"), ".github/*")))
def platform(session: nox.Session) -> None:
    """The platform itself, on the testbed's cluster and under its Compose."""
    pytest(session, *PLATFORM, "-n", "2")


# It meets the services that there are, too, in a copy: whether those are sound, the other sessions say of the checkout itself.
# The copy is made by reading all of it, so that it is not compared.
@check(tests=True, compared=False, reads=lambda: own(CATALOG, tuple(PACKAGES), *DOCUMENTS, *tests_but("integration")))
def new_services(session: nox.Session) -> None:
    """A service of each stack, as `invoke new` makes it: every check, and all four forms of the platform."""
    pytest(session, NEW)


@check(tests=True, strict=False, reads=of_testbed)
def integration(session: nox.Session) -> None:
    """The testbed: a real engine, registry and cluster; images, deploys, rollbacks of a small platform."""
    # Most of their time these tests wait for pods: three at once keep two cores busy.
    ignored = [f"--ignore={file}" for file in (*WITHOUT_TESTBED, *FAULTS, *AT_NIGHT, *PLATFORM, LIFECYCLE, NEW)]
    pytest(session, "tests/integration", *ignored, "-n", "3")


@check(tests=True, strict=False, reads=of_testbed)
def faults(session: nox.Session) -> None:
    """Stores are ended under load, here and in the cluster, and one request in five fails: nothing is lost, every verb ends right."""
    pytest(session, *FAULTS, *(AT_NIGHT if os.environ.get("FAULT_ROUNDS") else ()), "-n", "2")


@check(tests=True, strict=False, reads=lambda: Reads((*DOCUMENTS, *tests_but("e2e"), "k8s/*", ".github/*")), allow_parallel=True)
def e2e(session: nox.Session) -> None:
    """A browser on the running platform: sign up, store, search, sign out."""
    with apart("network"):
        pytest(session, "tests/e2e")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """The figures of docs/benchmarks.md, as ratios against a named peer in the same run. Not part of `ci`."""
    session.run(sys.executable, "-m", "tests.benchmarks", *session.posargs)


@nox.session
def reproducible(session: nox.Session) -> None:
    """Every image built again without a cache, and compared. Takes as long as building all of them: not part of `ci`."""
    session.run(sys.executable, "-m", "pytest", "tests/reproducible", *session.posargs)


@nox.session
def ci(session: nox.Session) -> None:
    """All of the above that are not known good, and the table, whatever came of them. `-- --fresh`: all."""
    arguments = [word for word in session.posargs if word != "--fresh"]
    with apart("ci", "another run of the checks in this checkout"):
        known = {} if session.posargs else PASSES.known(CHECKS, declared_of, say)
        wanted = [name for name in CHECKS if name not in known]
        REPORT.clear()
        try:
            if wanted:
                run(session, wanted, arguments)
        finally:
            show([outcome for outcome in REPORT.outcomes() if outcome.session in CHECKS], known)


def run(session: nox.Session, wanted: list[str], arguments: list[str]) -> None:
    """Run sessions, those side by side that may be."""
    for one in certain(CATALOG):
        if set(one.sessions) & set(wanted):
            session.warn(f"{one}\nThe others are run all the same.")
    # Not `requires=CHECKS`: Nox leaves out a session when one that it requires has failed, and that is when the table is wanted most.
    # Three at a time on two cores: each waits for a store, a browser or a lock now and then.
    argv = (sys.executable, "-m", "nox", "--parallel", "3", "--session", *wanted, "--", *arguments)
    if code := ending.run(argv, 2 * TIMEOUT):  # that Nox ends the sessions first
        session.error(f"the sessions' Nox exited {code}")
