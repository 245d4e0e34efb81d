"""What goes into an image of a Go module's go.sum: the modules that go.mod requires, and nothing of the others."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ops.images.gosum import cut, parts
from ops.tools import find

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "services/api-gateway"
KIT = ROOT / "packages/service-kit-go"
MODULE = (SERVICE / "go.mod").read_text()
SUMS = (SERVICE / "go.sum").read_text()
OLD = "example.org/left v1.0.0 h1:AAAA=\nexample.org/left v1.0.0/go.mod h1:BBBB=\n"


def test_go_takes_the_part_for_all_that_the_build_reads(tmp_path: Path) -> None:
    for folder, copy in ((SERVICE, "services/service"), (KIT, f"packages/{KIT.name}")):
        shutil.copytree(folder, tmp_path / copy, ignore=lambda _, names: {name for name in names if name.endswith("_test.go")})
    service = tmp_path / "services/service"
    part = cut(MODULE, SUMS)
    assert 0 < len(part) < len(SUMS)
    (service / "go.sum").write_text(part)
    go = find("go")
    argv = (*go.argv, "list", "-mod=readonly", "-deps", "./cmd/server")
    done = subprocess.run(argv, cwd=service, env={**os.environ, **go.env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "github.com/redis/go-redis/v9" in done.stdout, done.stderr
    assert (service / "go.sum").read_text() == part


def test_lines_of_others_change_nothing_and_those_that_are_required_do() -> None:
    assert cut(MODULE, SUMS + OLD) == cut(MODULE, SUMS)
    line = next(line for line in SUMS.splitlines() if line.startswith("github.com/redis/go-redis/v9 "))
    assert cut(MODULE, SUMS.replace(line, line[:-2] + "x=")) != cut(MODULE, SUMS)
    older = line.replace("v9 v9.", "v9 v8.")
    assert older != line and cut(MODULE, f"{SUMS}{older}\n") == cut(MODULE, SUMS)


@pytest.mark.parametrize(
    ("module", "sums"),
    [
        (MODULE.replace("\ngo 1.", "\ngo 1.16 // "), SUMS + OLD),
        (MODULE.replace("\ngo 1.", "\n// go 1."), SUMS + OLD),
        (MODULE + "\nreplace example.org/a => example.org/left v1.0.0\n", SUMS + OLD),
        (MODULE + "\ntool example.org/left\n", SUMS + OLD),
        (MODULE, SUMS + OLD + "<<<<<<< HEAD\n"),
    ],
    ids=["before pruning", "no version", "replace", "tool", "not understood"],
)
def test_what_is_not_understood_stays_whole(module: str, sums: str) -> None:
    assert cut(module, sums) == sums


def test_a_folder_without_a_module_has_no_part() -> None:
    assert parts("a", {"a/go.sum": SUMS}.get) == {}
    assert parts("a", {"a/go.mod": MODULE, "a/go.sum": SUMS}.get) == {"a/go.sum": cut(MODULE, SUMS)}
