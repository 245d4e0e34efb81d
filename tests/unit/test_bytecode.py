"""A compiled module that a full disk cut, or that was damaged otherwise, is compiled again: no verb fails on it, then or later."""

import os
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A limit on the size of files cuts a write short as a full disk does.
FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))\n"


def started(program: str, cache: Path, python: str = sys.executable) -> str:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "NEXTAI_CACHE": str(cache)}
    done = subprocess.run((python, "-c", program), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


VERB = "import sys; from invoke.main import program\nsys.argv[0] = 'invoke'; program.run(['invoke', 'sync', '--check'])\n"


def compiled(folder: Path) -> dict[Path, tuple[int, int]]:
    return {file: (file.stat().st_size, file.stat().st_mtime_ns) for file in folder.rglob("*.pyc")}


def test_a_verb_after_a_full_disk_is_as_before_it_and_keeps_what_it_compiles(tmp_path: Path) -> None:
    started(FULL + VERB, tmp_path)
    assert all(size <= 3000 for size, _ in compiled(tmp_path).values())
    started(VERB, tmp_path)
    whole = compiled(tmp_path)
    assert max(size for size, _ in whole.values()) > 3000
    started(VERB, tmp_path)
    assert compiled(tmp_path) == whole


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:9],
        lambda data: data[:20],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data[:40] + bytes(max(0, len(data) - 40)),
        lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:],
    ],
    ids=["empty", "in its header", "after its header", "in the middle", "the last byte", "zeros", "one bit"],
)
def test_a_damaged_module_is_compiled_again(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    program = "from ops import bytecode\nbytecode.keep()\nimport ops.kube.objects\nprint(ops.kube.objects.__doc__)\n"
    expected = started(program, tmp_path)
    good = {file: file.read_bytes() for file in tmp_path.rglob("*.pyc")}
    assert any("objects" in file.name for file in good)
    for file, data in good.items():
        file.write_bytes(damage(data))
    assert started(program, tmp_path) == expected
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.pyc")} == good


def test_what_the_programs_of_an_earlier_run_left_cut_is_removed_before_the_next(tmp_path: Path) -> None:
    folder = tmp_path / "children"
    child = "import ops.kube.objects; print('done')"
    program = f"""
import subprocess, sys
from pathlib import Path
from ops import bytecode
bytecode.keep_for_children(Path({str(folder)!r}))
sys.stdout.write(subprocess.run([sys.executable, "-c", {child!r}], stdout=-1, text=True, check=True).stdout)
"""
    assert started(program, tmp_path) == "done\n"
    whole = compiled(folder)
    for file in whole:
        os.truncate(file, file.stat().st_size // 2)
    assert started(program, tmp_path) == "done\n"
    assert {file: size for file, (size, _) in compiled(folder).items()} == {file: size for file, (size, _) in whole.items()}
    before = compiled(folder)
    assert started(program, tmp_path) == "done\n"
    assert compiled(folder) == before


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with a package that is imported before ours, as Invoke is."""
    made = tmp_path / "environment"
    venv.create(made, symlinks=True)
    (packages,) = made.glob("lib/python*/site-packages")
    (packages / "early.py").write_text("".join(f"def f{i}():\n    return {i}\n" for i in range(200)))
    return made


EARLY = "import early\nfrom ops import bytecode\nbytecode.keep()\nprint(early.f7())\n"


def test_what_is_imported_before_is_compiled_once_and_into_the_environment(environment: Path, tmp_path: Path) -> None:
    python = str(environment / "bin/python")
    assert started(EARLY, tmp_path / "cache", python) == "7\n"
    whole = compiled(environment)
    assert [file.name.split(".")[0] for file in whole] == ["early"]
    assert started(EARLY, tmp_path / "cache", python) == "7\n"
    assert compiled(environment) == whole


def test_a_full_disk_leaves_nothing_cut_in_the_environment(environment: Path, tmp_path: Path) -> None:
    python = str(environment / "bin/python")
    assert started(FULL + EARLY, tmp_path / "cache", python) == "7\n"
    assert not [*environment.rglob("early.*.pyc*")]
    assert started(EARLY, tmp_path / "cache", python) == "7\n"
    assert max(size for size, _ in compiled(environment).values()) > 3000


def test_only_what_is_needed_to_find_the_cache_folder_is_compiled_at_each_start(tmp_path: Path) -> None:
    started(VERB, tmp_path)
    again = subprocess.run(
        (sys.executable, "-v", "-c", VERB),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "NEXTAI_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    sources = [line.removeprefix("# code object from ") for line in again.stderr.splitlines() if line.startswith("# code object from /")]
    names = {Path(source).relative_to(ROOT).as_posix() for source in sources}
    # Of these, too, those that a Python without that variable has left compiled in the checkout are not.
    assert names <= {"tasks.py", "ops/__init__.py", "ops/bytecode.py", "ops/folders.py"}
