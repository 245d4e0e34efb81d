"""What an image needs of a uv project: what runs, to the letter, and nothing that is for people."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from ops.images import uv
from ops.images.dockerfile import read

ROOT = Path(__file__).parents[2]
SERVICE, KIT = "services/memory-service", "packages/service-kit-python"
LOCKED = (ROOT / SERVICE / uv.LOCK).read_text()


def names(lock: str) -> set[str]:
    return {package["name"] for package in tomllib.loads(lock)["package"]}


def test_the_lock_files_part_is_what_runs_to_the_letter() -> None:
    part = uv.lock(LOCKED)
    assert {"fastapi", "pymilvus", "nextai-service-kit", "memory-service"} <= names(part)
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & names(part)
    whole = {(p["name"], p["version"]): p for p in tomllib.loads(LOCKED)["package"]}
    for package in tomllib.loads(part)["package"]:
        before = dict(whole[package["name"], package["version"]])
        before.pop("dev-dependencies", None)
        if "metadata" in before:
            before["metadata"] = {key: value for key, value in before["metadata"].items() if key != "requires-dev"}
        assert package == before


def test_uv_takes_the_parts_for_a_lock_that_fits(tmp_path: Path) -> None:
    for folder in (SERVICE, KIT):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
        parts = uv.parts(folder, lambda path: (tmp_path / path).read_text() if (tmp_path / path).exists() else None, dev=False)
        for path, text in parts.items():
            (tmp_path / path).write_text(text)
    uv_ = shutil.which("uv")
    assert uv_
    env = {**os.environ, "UV_OFFLINE": "1", "UV_NO_DEV": "1"}
    argv = (uv_, "lock", "--check", "--offline", "--project", str(tmp_path / SERVICE))
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ('name = "pytest"\nversion = "', 'name = "pytest"\nversion = "1', True),
        ('name = "fastapi"\nversion = "', 'name = "fastapi"\nversion = "1', False),
        ('name = "numpy"\nversion = "', 'name = "numpy"\nversion = "1', False),
    ],
)
def test_what_only_development_reaches_changes_nothing(old: str, new: str, same: bool) -> None:
    changed = LOCKED.replace(old, new)
    assert changed != LOCKED
    assert (uv.lock(changed) == uv.lock(LOCKED)) is same


@pytest.mark.parametrize(
    "lock", ["", LOCKED.replace('source = { virtual = "." }', 'source = { other = "." }'), LOCKED.replace("\nname =", "\nNAME =")]
)
def test_a_lock_file_that_is_not_understood_stays_whole(lock: str) -> None:
    assert uv.lock(lock) == lock


PROJECT = """\
# what it is
[project]
name = "x"
dependencies = ["a"]

[dependency-groups]
dev = [
    "pytest",
]

[tool.uv]  # settings
package = false
default-groups = ["dev"]

[tool.ruff.lint]
select = ["E"]

[[tool.mypy.overrides]]
module = "a.*"

[tool.other]
text = \"\"\"
kept
\"\"\"
"""


def test_a_projects_file_loses_what_is_for_people() -> None:
    assert tomllib.loads(uv.project(PROJECT, dev=True)) == {
        "project": {"name": "x", "dependencies": ["a"]},
        "dependency-groups": {"dev": ["pytest"]},
        "tool": {"uv": {"package": False, "default-groups": ["dev"]}, "other": {"text": "kept\n"}},
    }
    part = uv.project(PROJECT, dev=False)
    assert "dependency-groups" not in part
    assert "default-groups" not in part
    for old, new in (("# what it is", "# another"), ('["E"]', '["F"]'), ('    "pytest",', '    "pytest>=9",'), ('"a.*"', '"b.*"')):
        assert uv.project(PROJECT.replace(old, new), dev=False) == part
    assert uv.project(PROJECT.replace('"a"]', '"b"]'), dev=False) != part


@pytest.mark.parametrize("text", ["# no comment\n[tool.ruff]", "[dependency-groups]\nx"])
def test_a_text_that_looks_like_a_table_is_kept(text: str) -> None:
    whole = PROJECT.replace("kept", text)
    assert tomllib.loads(uv.project(whole, dev=False))["tool"]["other"]["text"] == f"{text}\n"


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ("ENV UV_NO_DEV=1\nRUN uv sync", True),
        ("RUN uv sync --locked --no-dev", True),
        ("RUN uv sync\nENV UV_NO_DEV=1\nRUN uv sync", False),
        ("RUN uv sync --no-dev && uv sync", False),
        ("RUN uv sync", False),
        ("RUN pip install uv", False),
    ],
)
def test_what_is_installed_is_read_from_the_dockerfile(recipe: str, expected: bool) -> None:
    assert uv.production(read(f"FROM scratch\n{recipe}\n")) is expected


@pytest.mark.parametrize(
    ("system", "wrong"),
    [
        ('requires = ["hatchling>=1.27,<2"]', ["p is built with hatchling>=1.27,<2"]),
        ('requires = ["hatchling==1.27.0"]', ["p is built with hatchling==1.27.0"]),  # and that with what it needs
        ('requires = ["uv_build>=0.13,<0.14"]', ["p is built with uv_build>=0.13,<0.14"]),
        ('requires = ["uv_build==0.13.9"]', []),
        ('requires = ["setuptools==80.1", "wheel"]', ["p is built with wheel"]),
    ],
)
def test_what_builds_a_package_is_one_exact_version_that_needs_nothing(system: str, wrong: list[str]) -> None:
    assert list(uv.unlocked("p", f"[build-system]\n{system}\n")) == wrong


def test_a_package_without_a_build_system_is_built_by_whatever_there_is() -> None:
    assert list(uv.unlocked("p", "[tool.uv]\npackage = true\n")) != []
    assert list(uv.unlocked("p", "[project]\nname = 'x'\n")) == []


def test_a_package_without_a_wheel_is_named() -> None:
    assert list(uv.built(uv.lock(LOCKED))) == []
    block = '\n[[package]]\nname = "old"\nversion = "1"\nsource = { registry = "https://pypi.org/simple" }\nsdist = { url = "x.tar.gz" }\n'
    assert [line.split()[0] for line in uv.built(LOCKED + block)] == ["old"]


def test_the_kit_is_built_by_the_uv_of_its_images() -> None:
    version = next(
        line.partition("=")[2] for line in (ROOT / "infra/docker/python.Dockerfile").read_text().splitlines() if "UV_VERSION=" in line
    )
    assert tomllib.loads((ROOT / KIT / uv.PROJECT).read_text())["build-system"]["requires"] == [f"uv_build=={version}"]
