"""Where programs come from: which version fits, what is remembered, what is built."""

import json
import os
import resource
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from ops.command import Command
from ops.errors import Failure, UsageError
from ops.folders import cache, write_private
from ops.tools import find as public_find
from ops.tools import gomodule, pnpm
from ops.tools.find import find, here
from ops.tools.table import TABLE, Spec
from ops.tools.versions import version_of


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "a cache"))


def program(folder: Path, name: str, body: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("version", "fits"), [("1.26.0", True), ("1.26.12", True), ("1.27.0", False), ("1.25.9", False), ("", False), ("devel", False)]
)
def test_a_version_fits_between_its_bounds(version: str, fits: bool) -> None:
    assert Spec("go", "machine", low=(1, 26), high=(1, 27)).fits(version) is fits


def test_an_unknown_name_is_a_wrong_argument() -> None:
    with pytest.raises(UsageError, match="no 'gopher'"):
        public_find("gopher")


def test_the_first_fitting_program_on_path_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "old", "shellcheck", "echo version: 0.1.0")
    good = program(tmp_path / "new", "shellcheck", "echo version: 0.10.0")
    monkeypatch.setenv("PATH", os.pathsep.join((str(tmp_path / "old"), str(tmp_path / "new"), "/usr/bin", "/bin")))
    tool = find("shellcheck")
    assert (tool.argv, tool.version, tool.origin) == ((str(good),), "0.10.0", "PATH")


def test_a_missing_program_says_what_is_there_and_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = program(tmp_path / "bin", "kubectl", "echo 1.12.3")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("ops.testbed.running", lambda: None, raising=False)
    with pytest.raises(Failure) as caught:
        find("kubectl")
    assert f"{old} (1.12.3)" in caught.value.cause
    assert "1.30" in caught.value.cause
    assert "Install kubectl" in caught.value.remedy


def test_a_version_is_asked_once_until_the_program_changes(tmp_path: Path) -> None:
    count = tmp_path / "count"
    file = program(tmp_path / "bin", "thing", f"echo x >> '{count}'; echo thing 1.2.3")
    for _ in range(3):
        assert version_of((str(file),), ("--version",), file) == "1.2.3"
    assert count.read_text() == "x\n"
    program(tmp_path / "bin", "thing", f"echo x >> '{count}'; echo thing 1.2.30")
    assert version_of((str(file),), ("--version",), file) == "1.2.30"


@pytest.mark.parametrize("damage", ["", "{", "[]", "cut", "5", "[1, 2]"])
def test_versions_that_were_damaged_are_asked_again(tmp_path: Path, damage: str) -> None:
    file = program(tmp_path / "bin", "thing", "echo thing 1.2.3")
    assert version_of((str(file),), ("--version",), file) == "1.2.3"
    kept = tmp_path / "a cache" / "tools" / "versions.json"
    whole = kept.read_text()
    (key,) = json.loads(whole)
    kept.write_text({"cut": whole[:-20], "5": json.dumps({key: 5}), "[1, 2]": json.dumps({key: [1, 2]})}.get(damage, damage))
    assert version_of((str(file),), ("--version",), file) == "1.2.3"
    assert kept.read_text() == whole


def test_a_full_disk_leaves_no_piece_of_what_is_remembered(tmp_path: Path) -> None:
    file = program(tmp_path / "bin", "thing", "echo thing 1.2.3")
    private = tmp_path / "secrets.json"
    # A limit on the size of files cuts a write short as a full disk does.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        assert version_of((str(file),), ("--version",), file) == "1.2.3"
        with pytest.raises(OSError, match="File too large"):
            write_private(private, "x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / "a cache" / "tools").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a cache", "bin"]


def test_a_program_that_breaks_or_says_nothing_is_not_there(tmp_path: Path) -> None:
    for body in ("exit 3", "echo hello"):
        file = program(tmp_path / "bin", "thing", body)
        assert version_of((str(file),), ("--version",), file) is None


def test_no_cache_folder_is_a_clear_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(Failure) as caught:
        cache()
    assert "NEXTAI_CACHE" in caught.value.remedy


@pytest.mark.parametrize("name", [name for name, spec in TABLE.items() if spec.origin == "go-module"])
def test_every_go_program_is_pinned(name: str) -> None:
    root = Path(__file__).parents[2]
    pin = gomodule.read(root, name)
    assert pin.version[0].isdigit()
    assert (pin.folder / "go.sum").exists()


def test_the_folder_of_a_go_program_follows_everything_that_makes_it(tmp_path: Path) -> None:
    folder = tmp_path / "infra" / "tools" / "x"
    folder.mkdir(parents=True)
    required = "require (\n\texample.com/a v9.9.9 // indirect\n\texample.com/a/x v1.2.3 // indirect\n)\n"
    text = f"module m\n\ngo 1.26.0\n\ntool example.com/a/x/cmd/x\n\n{required}"
    (folder / "go.mod").write_text(text)
    (folder / "go.sum").write_text("")
    pin = gomodule.read(tmp_path, "x")
    assert (pin.package, pin.version) == ("example.com/a/x/cmd/x", "1.2.3")
    spec = Spec("x", "go-module")
    first = gomodule.built(pin, spec, "1.26.0")
    assert gomodule.built(pin, spec, "1.26.1") != first
    assert gomodule.built(pin, Spec("x", "go-module", build_env={"GOEXPERIMENT": "y"}), "1.26.0") != first
    (folder / "go.sum").write_text("h1:other")
    assert gomodule.built(pin, spec, "1.26.0") != first


def test_a_go_mod_without_a_tool_line_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "infra" / "tools" / "x"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module m\n\ngo 1.26.0\n")
    with pytest.raises(Failure, match="no `tool` line"):
        gomodule.read(tmp_path, "x")


def test_pnpm_is_the_version_that_package_json_names(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"packageManager": "pnpm@12.0.1+sha512.abc"}')
    assert pnpm.wanted(tmp_path) == "12.0.1"
    (tmp_path / "package.json").write_text('{"packageManager": "yarn@1.0.0"}')
    with pytest.raises(Failure, match="packageManager"):
        pnpm.wanted(tmp_path)


def test_npm_is_run_by_the_node_that_was_found() -> None:
    node, npm = here("node"), here("npm")
    assert node
    assert npm
    assert npm.argv[0] == node.argv[0]
    assert node.env["PATH"].split(os.pathsep)[0] == str(Path(node.argv[0]).parent)


@pytest.mark.parametrize(
    ("words", "failures", "runs", "fails"),
    [
        ("read tcp 10.0.0.1:1->10.0.0.2:443: read: connection reset by peer", 2, 3, False),
        ("reading https://proxy/x.mod: 502 Bad Gateway", 1, 2, False),
        ("read: connection reset by peer", 9, 3, True),
        ("main.go:3: syntax error", 1, 1, True),
    ],
)
def test_a_go_build_whose_connection_breaks_off_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, failures: int, runs: int, fails: bool
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    program = f"echo run >> runs; test $(wc -l < runs) -gt {failures} || {{ echo '{words}' >&2; exit 1; }}"
    command = Command(("sh", "-c", program), "building x", cwd=tmp_path)
    with pytest.raises(Failure, match=words[-10:]) if fails else nullcontext():
        gomodule.compiled(command)
    assert (tmp_path / "runs").read_text().count("run") == runs


def test_another_environments_wrapper_on_path_is_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bin_ = tmp_path / "environment" / "bin"
    bin_.mkdir(parents=True)
    (tmp_path / "environment" / "pyvenv.cfg").touch()
    (bin_ / "node").write_text("#!/bin/sh\necho 24.19.0\n")
    (bin_ / "node").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}{os.pathsep}{os.environ['PATH']}")
    node, npm = here("node"), here("npm")
    assert node and npm and Path(node.argv[0]).parent != bin_
    assert npm.argv[0] == node.argv[0]
