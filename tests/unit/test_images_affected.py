"""Which images a change reaches, in a checkout of two Node services and a job."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ops.catalog.model import Catalog, Database, Image, Job, Stack
from ops.console import use_json
from ops.errors import UsageError
from ops.images.affected import affected
from ops.verbs import build as images

LOCK = """\
lockfileVersion: '9.0'

importers:

  .: {}

  a:
    dependencies:
      left:
        specifier: 1.0.0
        version: 1.0.0

  b:
    dependencies:
      right:
        specifier: 1.0.0
        version: 1.0.0

packages:

  left@1.0.0:
    resolution: {integrity: sha512-left==}

  right@1.0.0:
    resolution: {integrity: sha512-right==}

snapshots:

  left@1.0.0: {}

  right@1.0.0: {}
"""
PLATFORM = """\
nodes: linux/amd64
stacks: {node: {dockerfile: node.Dockerfile, bases: {}, test: [x]}}
services: {a: {stack: node, path: a, port: 1}, b: {stack: node, path: b, port: 2}}
jobs: {c: {stack: plain, path: c}}
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    root = tmp_path / "check out"
    files = {
        "a/package.json": '{"scripts": {"build": "x", "test": "y"}, "devDependencies": {"left": "1.0.0"}}',
        "b/package.json": "{}",
        "c/main": "1",
        "package.json": '{"scripts": {}}',
        "pnpm-workspace.yaml": "packages: [a, b]\n",
        "pnpm-lock.yaml": LOCK,
        ".pnpmfile.cjs": "1",
        "a/vitest.config.ts": "1",
        "db/migrations/0.sql": "1",
        "db/src": "1",
        "node.Dockerfile": "FROM x\nRUN pnpm install --prod\n",
        "plain.Dockerfile": "FROM y",
        "platform.yaml": PLATFORM,
        "README.md": "1",
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x")
    node = Stack("node", "node.Dockerfile", {}, (), 1001, ("package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml"))
    plain = Stack("plain", "plain.Dockerfile", {}, (), 1001)
    images: list[Image] = [Image(name, node, name, "node.Dockerfile", "n") for name in ("a", "b")]
    images[0] = replace(images[0], packages=("db",))
    images.append(Image("c", plain, "c", "plain.Dockerfile", "n", packages=("db/migrations",)))
    jobs = {image.name: Job(image.name, image.stack, image.path, image.dockerfile, "n", packages=image.packages) for image in images}
    return Catalog(root, "t", "r", "p", "linux/amd64", {}, {}, jobs, {}, (), Database("", "", "", "db/migrations", ""), {}, {})


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], cwd=root, check=True, capture_output=True)


def change(catalog: Catalog, path: str, old: str, new: str) -> None:
    file = catalog.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(file.read_text().replace(old, new) if old else new)


@pytest.mark.parametrize(
    ("path", "old", "new", "names"),
    [
        ("README.md", "1", "2", []),
        ("a/main.ts", "", "new", ["a"]),
        ("a/tests/x.ts", "", "new", []),
        ("c/main", "1", "2", ["c"]),
        ("node.Dockerfile", "x", "z", ["a", "b"]),
        ("node.Dockerfile", "FROM", "# why\nFROM", []),
        ("node.Dockerfile", "FROM", "NONE", ["a", "b"]),
        ("a/package.json", '"x"', '"z"', ["a"]),
        ("a/package.json", '"y"', '"z"', []),
        ("a/package.json", "left", "other", []),
        ("a/vitest.config.ts", "1", "2", []),
        (".pnpmfile.cjs", "1", "2", ["a", "b"]),
        ("db/migrations/0.sql", "1", "2", ["c"]),
        ("db/src", "1", "2", ["a"]),
        ("pnpm-lock.yaml", "sha512-left", "sha512-other", ["a"]),
        ("pnpm-lock.yaml", "lockfileVersion", "settings:\n  x: true\n\nlockfileVersion", ["a", "b"]),
        ("package.json", '"scripts": {}', '"scripts": {"x": "y"}', []),
        ("pnpm-workspace.yaml", "packages", "nodeLinker: hoisted\npackages", ["a", "b"]),
        ("platform.yaml", "port: 2", "port: 3", ["b"]),
        ("platform.yaml", "bases: {}", "bases: {X: y}", ["a", "b"]),
        ("platform.yaml", "test: [x]", "test: [y]", []),
        ("platform.yaml", "linux/amd64", "linux/arm64", ["a", "b", "c"]),
    ],
)
def test_a_change_reaches_the_images_that_it_can_change(catalog: Catalog, path: str, old: str, new: str, names: list[str]) -> None:
    assert affected(catalog, "HEAD") == []
    change(catalog, path, old, new)
    assert affected(catalog, "HEAD") == names
    git(catalog.root, "add", "-A")
    assert affected(catalog, "HEAD") == names
    git(catalog.root, "commit", "-qm", "y")
    assert affected(catalog, "HEAD~1") == names
    assert affected(catalog, "HEAD") == []


def test_a_file_that_is_gone_reaches_its_image(catalog: Catalog) -> None:
    (catalog.root / "c/main").unlink()
    assert affected(catalog, "HEAD") == ["c"]


def test_what_main_went_on_to_change_is_not_the_branchs(catalog: Catalog) -> None:
    git(catalog.root, "branch", "-M", "main")
    git(catalog.root, "switch", "-qc", "topic")
    change(catalog, "a/main.ts", "", "new")
    git(catalog.root, "add", "-A")
    git(catalog.root, "commit", "-qm", "a")
    git(catalog.root, "switch", "-q", "main")
    change(catalog, "c/main", "1", "2")
    change(catalog, "platform.yaml", "port: 2", "port: 3")
    git(catalog.root, "commit", "-qam", "c")
    git(catalog.root, "switch", "-q", "topic")
    assert affected(catalog, "main") == ["a"]
    change(catalog, "b/main.ts", "", "new")  # in no commit yet
    assert affected(catalog, "main") == ["a", "b"]
    git(catalog.root, "merge", "-q", "main")
    assert affected(catalog, "main") == ["a", "b"]


def test_histories_without_a_commit_in_common_are_told(catalog: Catalog) -> None:
    git(catalog.root, "branch", "-M", "main")
    git(catalog.root, "switch", "-q", "--orphan", "other")
    git(catalog.root, "commit", "-qm", "x", "--allow-empty")
    git(catalog.root, "switch", "-q", "main")
    with pytest.raises(UsageError, match="'other' and this checkout have no commit in common"):
        affected(catalog, "other")


def test_a_folder_that_is_no_clone_is_not_called_a_wrong_revision(catalog: Catalog) -> None:
    shutil.rmtree(catalog.root / ".git")
    with pytest.raises(UsageError, match="not a git repository"):
        affected(catalog, "HEAD")


@pytest.mark.parametrize("revision", ["nowhere", "--help", ""])
def test_an_unknown_revision_is_named(catalog: Catalog, revision: str) -> None:
    with pytest.raises(UsageError, match="is not a commit that git knows"):
        affected(catalog, revision)


@pytest.mark.parametrize("as_json", [False, True])
def test_that_nothing_is_affected_is_said_to_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    monkeypatch.setattr(images, "load", lambda: None)
    monkeypatch.setattr("ops.images.affected.affected", lambda *_: [])
    use_json(as_json)
    try:
        assert images.affected("v1") == 0
    finally:
        use_json(False)
    said = capsys.readouterr()
    assert (said.err if as_json else said.out) == "nothing is affected since v1\n"
