"""`nox -s ci` runs what has changed and says what is known good; a session that reads what it does not declare fails."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.checks import trace
from ops.checks.reads import Reads
from ops.checks.snapshot import take
from ops.errors import Failure
from tests.unit.small_repository import git, repository

ROOT = Path(__file__).resolve().parents[2]
CHECKS = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
import noxfile
from noxfile import *
noxfile.CHECKS[:] = ["code", "text"]
noxfile.REPORT.folder = Path("node_modules/report").resolve()
noxfile.PASSES.root, noxfile.PASSES.folder = Path.cwd(), Path("node_modules/passes").resolve()
noxfile.ROOT = Path.cwd()
noxfile.certain = lambda _: []

def ran(session):
    with Path("node_modules/ran").open("a") as file:
        file.write(session.name + " ")

@noxfile.check(traced=True, allow_parallel=True, reads=lambda: Reads(names_only=("docs/*",)))
def code(session):
    "Reads the code only."
    ran(session)
    noxfile.program(session, "cat", *session.posargs, "src/a.py")
    for name in filter(None, Path("src/also").read_text().split()):
        if name == "sleep":
            noxfile.program(session, "sleep", "2")
        elif name.startswith("python:"):
            Path(name.removeprefix("python:")).read_text()
        else:
            noxfile.program(session, "cat", name)

@noxfile.check(allow_parallel=True)
def text(session):
    "Reads all."
    ran(session)

@noxfile.check(reads=lambda: Reads(unseen=("docs",)))
def apart(session):
    "Sees nothing of docs."
    ran(session)
    noxfile.program(session, sys.executable, "-c", Path("src/also").read_text())

@noxfile.check(strict=False, reads=lambda: Reads(unseen=("docs",)))
def lenient(session):
    "Is compared, and passes all the same."
    noxfile.program(session, sys.executable, "-c", Path("src/also").read_text())

@noxfile.check(compared=False, reads=lambda: Reads(unseen=("docs",)))
def copied(session):
    "Is not compared."
    noxfile.program(session, sys.executable, "-c", Path("src/also").read_text())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src/also").write_text("")
    (tmp_path / "noxfile.py").write_text(CHECKS)
    return repository(tmp_path)


def nox(checkout: Path, *arguments: str, code: int = 0) -> str:
    argv = (sys.executable, "-m", "nox", *arguments)
    done = subprocess.run(argv, cwd=checkout, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == code, done.stdout
    return done.stdout


def ran(checkout: Path) -> list[str]:
    """The sessions that have run since this was last asked."""
    file = checkout / "node_modules/ran"
    names = sorted(file.read_text().split()) if file.exists() else []
    file.unlink(missing_ok=True)
    return names


def test_only_what_has_changed_is_run_and_all_of_it_with_fresh(checkout: Path) -> None:
    said = nox(checkout, "-s", "ci")
    assert ran(checkout) == ["code", "text"] and "code is run: no pass of it is known" in said
    said = nox(checkout, "-s", "ci")
    assert ran(checkout) == [] and said.count("known good since 2") == 2
    (checkout / "docs/a.md").write_text("b\n")
    said = nox(checkout, "-s", "ci")
    assert ran(checkout) == ["text"] and "text is run: docs/a.md changed" in said and said.count("known good since 2") == 1
    nox(checkout, "-s", "code")  # by hand it is run always
    assert ran(checkout) == ["code"]
    said = nox(checkout, "-s", "ci", "--", "--fresh")
    assert ran(checkout) == ["code", "text"] and "known good" not in said


def test_what_was_chosen_by_arguments_or_has_failed_is_no_pass(checkout: Path) -> None:
    nox(checkout, "-s", "ci", "--", "src/also")
    assert ran(checkout) == ["code", "text"] and not (checkout / "node_modules/passes").exists()
    (checkout / "src/a.py").unlink()
    nox(checkout, "-s", "ci", code=1)
    nox(checkout, "-s", "ci", code=1)
    assert ran(checkout) == ["code", "code", "text"]


def test_of_two_runs_at_once_the_second_waits_and_finds_what_the_first_has_found(checkout: Path) -> None:
    (checkout / "src/also").write_text("sleep")
    argv = (sys.executable, "-m", "nox", "-s", "ci")
    both = [subprocess.Popen(argv, cwd=checkout, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for _ in range(2)]
    said = [run.communicate()[0] for run in both]
    assert [run.returncode for run in both] == [0, 0], said
    assert ran(checkout) == ["code", "text"], said
    assert sum("waiting for another run of the checks in this checkout" in text for text in said) == 1
    assert sum(text.count("known good since") for text in said) == 2


@pytest.mark.parametrize("name", ["docs/a.md", "python:docs/a.md", ".env.local", "python:.env.local"])
def test_a_session_that_reads_what_it_does_not_declare_fails(checkout: Path, name: str) -> None:
    (checkout / "src/also").write_text(name)
    if "env" in name:  # made while the session runs: what was there before counts
        name = name.replace(".env.local", "ignored/settings")
        (checkout / ".git/info/exclude").write_text("ignored\n")
        (checkout / "src/also").write_text(name)
        body = CHECKS.replace("    ran(session)\n    noxfile.program", "    ran(session)\n    settings()\n    noxfile.program")
        made = "def settings():\n    Path('ignored').mkdir(exist_ok=True)\n    Path('ignored/settings').write_text('a')\n"
        (checkout / "noxfile.py").write_text(body + made)
    seen = trace.possible() or name.startswith("python:")
    said = nox(checkout, "-s", "code", code=1 if seen else 0)
    path = name.removeprefix("python:")
    assert (f"while comparing what code reads with what it declares: it has read {path}\nnext: Let its `Reads`" in said) == seen
    assert (checkout / "node_modules/passes").exists() != seen


LOOKS = {
    "opens": ("open('docs/a.md').read()", "read"),
    "lists": ("import os; os.listdir('docs')", "list"),
    "walks": ("import pathlib; list(pathlib.Path().rglob('*'))", "list"),
    "finds": ("import glob; glob.glob('*/*.md')", "list"),
    "asks whether one is there": ("import os; os.path.exists('docs/new.md')", "stat"),
    "asks by its whole path": ("import pathlib; (pathlib.Path.cwd() / 'docs' / 'new.md').is_file()", "stat"),
    "asks whether it may": ("import os; os.access('docs/a.md', os.R_OK)", "stat"),
    "has git list": ("import subprocess; subprocess.run(('git', 'ls-files'), check=True)", "tree"),
    "has git look for changes": ("import subprocess; subprocess.run(('git', '-C', '.', 'status', '--porcelain'), check=True)", "tree"),
    "has git list by a pattern": ("import subprocess; subprocess.run(('git', 'ls-files', '--', '*.md'), check=True)", "tree"),
    "in a child": ("import os, sys; os.spawnv(os.P_WAIT, sys.executable, ('python', '-c', 'import os; os.listdir(\"docs\")'))", "list"),
    "in a fork that is killed": ("import os; os.fork() or (os.listdir('docs'), os.kill(os.getpid(), 9)); os.wait()", "list"),
}


def python(checkout: Path, code: str) -> None:
    """Compares what a Python looks at with what a session declares that sees nothing of docs."""
    with trace.watching(checkout, False) as seen:
        subprocess.run((sys.executable, "-c", code), cwd=checkout, env={**os.environ, **seen.environment}, check=True)
        trace.check("apart", seen, take(checkout), Reads(unseen=("docs",)))


@pytest.mark.parametrize("how", LOOKS)
def test_whoever_looks_into_a_folder_that_is_said_to_be_unseen_is_found_out(checkout: Path, how: str) -> None:
    code, kind = LOOKS[how]
    with pytest.raises(Failure) as caught:
        python(checkout, code)
    assert caught.value.cause.startswith("it has read docs/" if how == "opens" else f"it has looked at {checkout}")
    assert how == "opens" or f"({kind})" in caught.value.cause


def test_a_session_that_looks_into_a_folder_that_it_says_is_unseen_fails(checkout: Path) -> None:
    (checkout / "src/also").write_text(LOOKS["lists"][0])
    said = nox(checkout, "-s", "apart", code=1)
    assert f"while comparing what apart reads with what it declares: it has looked at {checkout}/docs (list)" in said
    said = nox(checkout, "-s", "lenient")
    assert (
        f"this pass is not kept: it has looked at {checkout}/docs (list)" in said
        and not (checkout / "node_modules/passes/lenient").exists()
    )
    nox(checkout, "-s", "copied")
    assert (checkout / "node_modules/passes/copied").exists()


UNSEEN = (
    "import os; os.path.isdir('docs')",
    "import os; os.path.exists('docs/__init__.py')",
    "import os; os.listdir('.')",
    "open('src/a.py').read()",
    "open('/etc/hostname').read()",
)
GIT = (
    ("git", "ls-files", "--", "src", "src/*.py", ":!docs"),
    ("git", "--version"),
    ("git", "-c", "user.name=docs", "rev-parse", "HEAD"),
    ("git", "-C", "/tmp", "status"),
)


def test_a_session_that_does_not_look_into_its_unseen_folder_passes_and_no_file_there_runs_it(checkout: Path) -> None:
    calls = "\n".join(f"subprocess.run({argv}, check=False)" for argv in GIT)
    (checkout / "src/also").write_text("\n".join((*UNSEEN, "import subprocess", calls)))
    (checkout / "noxfile.py").write_text(CHECKS.replace('["code", "text"]', '["apart"]'))
    nox(checkout, "-s", "ci")
    assert ran(checkout) == ["apart"]
    (checkout / "docs/new.md").write_text("new")
    (checkout / "docs/a.md").unlink()
    nox(checkout, "-s", "ci")
    assert ran(checkout) == []
    (checkout / "docs/__init__.py").write_text("")  # for that it has asked
    nox(checkout, "-s", "ci")
    assert ran(checkout) == ["apart"]
    (checkout / "docs/__init__.py").unlink()
    (checkout / "docs/new.md").unlink()  # now the folder is gone, and so it is from the list of the one that it was in
    (checkout / "docs").rmdir()
    nox(checkout, "-s", "ci")
    assert ran(checkout) == ["apart"]


STRACE = """\
9 execve("/usr/bin/git", ["git"..., ], 0x7ffd /* 9 vars */) = 0
9 openat(AT_FDCWD</x>, ""..., O_RDONLY) = 3</x/src/looked-at-by-git>
10 execve("/usr/bin/cat", ["cat"..., ], 0x7ffd /* 9 vars */) = 0
10 openat(AT_FDCWD</x>, ""..., O_RDONLY|O_CLOEXEC) = 3</x/docs/a.md>
10 openat(AT_FDCWD</x>, ""..., O_RDONLY|O_DIRECTORY) = 3</x/docs>
11 openat(AT_FDCWD</x>, ""..., O_WRONLY|O_CREAT, 0666) = 4</x/docs/b.md>
11 openat(AT_FDCWD</x>, ""..., O_RDWR) = 14</x/docs/\\303\\274 c\\74.md>
12 <... openat resumed>) = 5</x/src/d.py>
12 +++ exited with 0 +++
"""


def test_what_was_opened_to_be_read_is_taken_from_the_trace(tmp_path: Path) -> None:
    seen = trace.Trace(tmp_path, tmp_path, wanted=True)
    (tmp_path / "a.strace").write_text(STRACE)
    assert seen.opened() == {"/x/docs/a.md", "/x/docs/ü c<.md", "/x/src/d.py"}


def home_file(home: Path) -> Path:
    (home / ".toolrc").write_text("")
    return home / ".toolrc"


def declared_setting(home: Path) -> Path:
    (home / ".npmrc").write_text("")
    return home / ".npmrc"


@pytest.mark.parametrize(("make", "found"), [(home_file, True), (declared_setting, False)])
def test_settings_in_the_home_folder_that_nobody_has_thought_of_are_found(
    make: Callable[[Path], Path], found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("home", "checkout"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    checkout = repository(tmp_path / "checkout")
    git(checkout, "status")
    file = str(make(tmp_path / "home"))
    assert trace.undeclared(checkout, [file], take(checkout), Reads()) == ([file] if found else [])
