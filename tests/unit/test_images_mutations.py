"""Each kind of thing that can change around an image: its key changes exactly when what the builder gets is another thing."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.catalog.model import Catalog, Database, Job, Stack
from ops.images import bake, context, facts
from ops.images.key import key
from ops.images.model import BuildEngine, Inputs, Planned
from ops.images.plan import _inputs

Change = Callable[[Path], object]
RECIPE = """\
# What this is.
ARG BASE
FROM ${BASE} AS build
ENV UV_NO_DEV=1
ARG USER_ID \\
    SERVICE_NAME
COPY . .
RUN pnpm install --prod
RUN uv sync
"""
LOCK = """\
lockfileVersion: '9.0'

importers:

  .: {}

  app:
    dependencies:
      runs:
        specifier: 1.0.0
        version: 1.0.0
    devDependencies:
      tests:
        specifier: 1.0.0
        version: 1.0.0

  other: {}

packages:

  runs@1.0.0:
    resolution: {integrity: sha512-runs==}

  tests@1.0.0:
    resolution: {integrity: sha512-tests==}

snapshots:

  runs@1.0.0: {}

  tests@1.0.0: {}
"""
FILES = {
    "Dockerfile": RECIPE,
    ".gitignore": "ignored\n",
    ".gitattributes": "*.txt text=auto\n",
    "package.json": '{"packageManager": "pnpm@12.21.0", "devDependencies": {"lint": "1"}}',
    "pnpm-workspace.yaml": "packages: [app, other]\n",
    "pnpm-lock.yaml": LOCK,
    "app/package.json": '{"scripts": {"build": "b", "test": "t"}, "dependencies": {"runs": "1"}, "devDependencies": {"tests": "1"}}',
    "app/pyproject.toml": '[project]\nname = "x"\n[dependency-groups]\ndev = ["y"]\n[tool.ruff]\nline-length = 1\n',
    "app/main": "one",
    "app/script": "#!",
    "app/a.txt": "line\n",
    "app/tests/t": "1",
    "app/vitest.config.ts": "1",
    "app/migrations/0.sql": "1",
    "other/main": "1",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(facts, "digests", lambda asked, _: dict.fromkeys(asked, "sha256:" + "1" * 64))
    root = tmp_path / "root"
    for name, text in FILES.items():
        put(root, name, text)
    (root / "app/link").symlink_to("main")
    (root / "app/script").chmod(0o755)
    git(root, "init", "-q")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x", "--allow-empty")


def put(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_bytes(text.encode())


def swap(name: str, old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_bytes().decode()
        assert old in text
        put(root, name, text.replace(old, new, 1))

    return change


def inputs(root: Path, user: int = 1001, base: str = "debian:13", platform: str = "linux/amd64") -> Inputs:
    shared = ("package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml")
    image = Job("app", Stack("plain", "Dockerfile", {"BASE": base}, (), user, shared), "app", "Dockerfile", "n")
    database = Database("", "", "", "app/migrations", "")
    catalog = Catalog(root, "t", "r", "p", platform, {}, {}, {"app": image}, {}, (), database, {}, {})
    return _inputs(image, facts.look(catalog, [image], BuildEngine(registry="r", platform=platform)))


def given(root: Path, made: Inputs, folder: Path) -> str:
    """Everything that the builder gets, as a hash: the context with its modes and links, and the bake file."""
    folder.mkdir()
    context.write(root, made, folder)
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        mode = 0 if path.is_symlink() else path.stat().st_mode
        digest.update(json.dumps([str(path.relative_to(folder)), mode, hashlib.sha256(content).hexdigest()]).encode())
    document = bake.bakefile({Path("/context"): Planned("app", "", "r", "build", made)}, push=True)
    digest.update(json.dumps(document, sort_keys=True).encode())
    return digest.hexdigest()


def rename(root: Path) -> None:
    (root / "app/main").rename(root / "app/Main")


def link(root: Path) -> None:
    (root / "app/link").unlink()
    (root / "app/link").symlink_to("script")


def to_file(root: Path) -> None:
    (root / "app/link").unlink()
    put(root, "app/link", "main")


REACHES: dict[str, Change] = {
    "content of equal length": swap("app/main", "one", "two"),
    "a new file": lambda root: put(root, "app/new", ""),
    "a file that is gone": lambda root: (root / "app/main").unlink(),
    "a name in other letters": rename,
    "the executable bit": lambda root: (root / "app/main").chmod(0o755),
    "no executable bit": lambda root: (root / "app/script").chmod(0o644),
    "where a link leads": link,
    "a file in place of a link": to_file,
    "line ends that git converts": swap("app/a.txt", "\n", "\r\n"),
    "an instruction": swap("Dockerfile", "COPY . .", "COPY . /x"),
    "a default of an argument": swap("Dockerfile", "USER_ID", "USER_ID=1"),
    "what runs, in the lock file": swap("pnpm-lock.yaml", "sha512-runs", "sha512-other"),
    "a setting of pnpm": swap("pnpm-workspace.yaml", "packages", "nodeLinker: hoisted\npackages"),
    "the pnpm that installs": swap("package.json", "12.21.0", "12.21.1"),
    "the build script": swap("app/package.json", '"b"', '"c"'),
    "a project's metadata": swap("app/pyproject.toml", '"x"', '"z"'),
    "hooks of pnpm": lambda root: put(root, ".pnpmfile.cjs", "1"),
    "development dependencies that are installed": swap("Dockerfile", " --prod", ""),
    "groups that are installed": swap("Dockerfile", "ENV UV_NO_DEV=1\n", ""),
}
DOES_NOT: dict[str, Change] = {
    "dates": lambda root: os.utime(root / "app/main", (1, 1)),
    "who may read it": lambda root: (root / "app/main").chmod(0o600),
    "an empty folder": lambda root: (root / "app/empty").mkdir(),
    "an ignored file": lambda root: put(root, "app/ignored", "1"),
    "another service": swap("other/main", "1", "2"),
    "a commit": commit,
    "staging": lambda root: git(root, "add", "-A"),
    "attributes that convert nothing": swap(".gitattributes", "text=auto", "text=auto diff"),
    "a test": swap("app/tests/t", "1", "2"),
    "a setting of a test runner": swap("app/vitest.config.ts", "1", "2"),
    "a setting of a linter": swap("app/pyproject.toml", "line-length = 1", "line-length = 2"),
    "a development group": swap("app/pyproject.toml", '"y"', '"z"'),
    "a migration": swap("app/migrations/0.sql", "1", "2"),
    "a comment in the Dockerfile": swap("Dockerfile", "What this is", "Why"),
    "a comment in the workspace": swap("pnpm-workspace.yaml", "packages", "# all\npackages"),
    "what tests, in the lock file": swap("pnpm-lock.yaml", "sha512-tests", "sha512-other"),
    "a script for people": swap("app/package.json", '"t"', '"u"'),
    "a development dependency": swap("app/package.json", '"tests": "1"', '"tests": "2"'),
    "a tool of the root": swap("package.json", '"lint": "1"', '"lint": "2"'),
}


@pytest.mark.parametrize("name", [*REACHES, *DOES_NOT])
def test_the_key_changes_exactly_when_the_builder_gets_something_else(root: Path, tmp_path: Path, name: str) -> None:
    reaches = name in REACHES
    before = inputs(root)
    was = given(root, before, tmp_path / "before")
    (REACHES | DOES_NOT)[name](root)
    now = inputs(root)
    is_now = given(root, now, tmp_path / "now")
    assert (key(now) != key(before)) == (is_now != was) == reaches


@pytest.mark.parametrize("change", [{"user": 1002}, {"base": "debian:14@sha256:" + "2" * 64}, {"platform": "linux/arm64"}])
def test_the_catalogues_values_reach_the_image(root: Path, change: dict[str, str]) -> None:
    assert key(inputs(root, **change)) != key(inputs(root))  # type: ignore[arg-type]


def test_the_environment_of_whoever_builds_does_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = inputs(root)
    document = bake.bakefile({Path("/c"): Planned("app", "", "r", "build", before)}, push=True)
    for name in ("USER_ID", "SERVICE_NAME", "BASE", "SOURCE_DATE_EPOCH", "BUILDKIT_SYNTAX", "APP_VERSION"):
        monkeypatch.setenv(name, "other")
    assert key(inputs(root)) == key(before)
    # buildx takes from the environment what a bake file leaves open, and this date where none is named.
    assert bake.bakefile({Path("/c"): Planned("app", "", "r", "build", inputs(root))}, push=True) == document
    target = document["target"]["app"]  # type: ignore[index]
    assert {"BASE", "USER_ID", "SERVICE_NAME", "SOURCE_DATE_EPOCH"} == set(target["args"])
