"""What goes in: git's view of the declared folders, and the bytes that lie on disk."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ops.catalog.model import Image, Stack
from ops.errors import Failure, Refused, UsageError
from ops.images import context
from ops.images.inputs import gather
from ops.images.key import blob, key
from ops.images.model import EPOCH, InputFile, Inputs

STACK = Stack("plain", "Dockerfile", {}, (), 1001, ())
IMAGE = Image("app", STACK, "app", "Dockerfile", "n")
Git = Callable[..., str]


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, in a folder with a space in its name, of one file: app/main."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name, value in (("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@b"), ("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@b")):
        monkeypatch.setenv(name, value)
    root = tmp_path / "check out"
    root.mkdir()
    git(root, "init", "-q")
    put(root, "app/main", "one")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, newline="")


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-qm", "x", "--allow-empty")


def entries(root: Path, image: Image = IMAGE) -> dict[str, InputFile]:
    return {entry.path: entry for entry in gather(root, [image])[image.name]}


def inputs(root: Path, image: Image = IMAGE) -> Inputs:
    return Inputs("Dockerfile", "FROM scratch", "linux/amd64", {}, {}, gather(root, [image])[image.name])


def test_every_file_has_the_hash_of_the_bytes_on_disk_and_its_mode(repo: Path) -> None:
    put(repo, "app/script", "#!")
    (repo / "app/script").chmod(0o755)
    (repo / "app/link").symlink_to("main")
    commit(repo)
    put(repo, "app/new", "untracked")
    put(repo, "app/main", "two")
    assert list(entries(repo).values()) == [
        InputFile("app/link", "120000", blob(b"main")),
        InputFile("app/main", "100644", blob(b"two")),
        InputFile("app/new", "100644", blob(b"untracked")),
        InputFile("app/script", "100755", blob(b"#!")),
    ]


def test_staged_committed_and_plain_changes_are_one_and_the_same(repo: Path) -> None:
    put(repo, "app/main", "two")
    plain = key(inputs(repo))
    git(repo, "add", "-A")
    staged = key(inputs(repo))
    commit(repo)
    assert plain == staged == key(inputs(repo))


@pytest.mark.parametrize("name", ["a b", "new\nline", "tab\there", 'quo"te', "back\\slash", "ünïcödé", "*?[x]", "-n", "ret\rurn"])
def test_any_file_name_goes_in_tracked_and_untracked_and_modified(repo: Path, name: str) -> None:
    put(repo, f"app/{name}", "1")
    assert entries(repo)[f"app/{name}"].content == blob(b"1")
    commit(repo)
    assert entries(repo)[f"app/{name}"].content == blob(b"1")
    put(repo, f"app/{name}", "22")
    assert entries(repo)[f"app/{name}"].content == blob(b"22")


def test_a_name_that_is_not_utf8_goes_in(repo: Path, tmp_path: Path) -> None:
    raw = os.fsencode(repo) + b"/app/\xff\xfe"
    Path(os.fsdecode(raw)).write_text("1")
    commit(repo)
    name = os.fsdecode(b"app/\xff\xfe")
    assert entries(repo)[name].content == blob(b"1")
    folder = tmp_path / "context"
    folder.mkdir()
    context.write(repo, inputs(repo), folder)
    assert sorted(os.fsencode(path.name) for path in (folder / "app").iterdir()) == [b"main", b"\xff\xfe"]


def test_ignored_files_never_go_in(repo: Path) -> None:
    put(repo, ".gitignore", "node_modules/\n.env\n")
    put(repo, "app/node_modules/x/index.js", "x")
    put(repo, "app/.env", "PASSWORD=1")
    assert list(entries(repo)) == ["app/main"]


def test_a_deleted_file_does_not_go_in_and_a_file_that_became_a_folder_does_not_either(repo: Path) -> None:
    put(repo, "app/gone", "1")
    put(repo, "app/turned", "1")
    commit(repo)
    (repo / "app/gone").unlink()
    (repo / "app/turned").unlink()
    put(repo, "app/turned/inner", "2")
    assert list(entries(repo)) == ["app/main", "app/turned/inner"]


def test_a_change_of_equal_size_within_the_same_second_is_seen(repo: Path) -> None:
    # What git calls racy: size and date tell nothing.
    index = (repo / ".git/index").stat()
    put(repo, "app/main", "two")
    os.utime(repo / "app/main", ns=(index.st_mtime_ns, index.st_mtime_ns))
    assert entries(repo)["app/main"].content == blob(b"two")


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_git_was_told_not_to_look_at_is_looked_at(repo: Path, flag: str) -> None:
    git(repo, "update-index", flag, "app/main")
    put(repo, "app/main", "two")
    assert entries(repo)["app/main"].content == blob(b"two")


@pytest.mark.parametrize("rule", ["* text=auto", "* text eol=crlf", "app/main ident", "app/main filter=upper"])
def test_a_file_that_git_converts_is_hashed_as_it_lies_on_disk(repo: Path, rule: str) -> None:
    git(repo, "config", "filter.upper.clean", "tr a-z A-Z")
    put(repo, ".gitattributes", rule + "\n")
    put(repo, "app/main", "one $Id$\r\n")
    commit(repo)
    assert entries(repo)["app/main"].content == blob(b"one $Id$\r\n")


def test_with_autocrlf_every_file_is_hashed_as_it_lies_on_disk(repo: Path) -> None:
    git(repo, "config", "core.autocrlf", "true")
    put(repo, "app/main", "one\r\n")
    commit(repo)
    assert entries(repo)["app/main"].content == blob(b"one\r\n")


def test_the_executable_bit_alone_changes_the_key(repo: Path) -> None:
    before = key(inputs(repo))
    (repo / "app/main").chmod(0o755)
    assert key(inputs(repo)) != before


def test_a_renamed_folder_changes_the_key(repo: Path) -> None:
    put(repo, "app/old/file", "1")
    before = key(inputs(repo))
    (repo / "app/old").rename(repo / "app/new")
    assert key(inputs(repo)) != before


def test_a_link_is_hashed_by_its_target_and_not_followed(repo: Path) -> None:
    put(repo, "outside", "1")
    (repo / "app/link").symlink_to("../outside")
    before = key(inputs(repo))
    put(repo, "outside", "2")
    assert key(inputs(repo)) == before
    (repo / "app/link").unlink()
    (repo / "app/link").symlink_to("../outside2")
    assert key(inputs(repo)) != before


def test_tests_do_not_go_in(repo: Path) -> None:
    for path in ("app/tests/a.py", "app/x_test.go", "app/src/a.test.ts", "app/src/tests/kept.ts", "app/test"):
        put(repo, path, "1")
    assert list(entries(repo)) == ["app/main", "app/src/tests/kept.ts", "app/test"]


def test_a_folder_whose_name_begins_like_a_declared_one_does_not_go_in(repo: Path) -> None:
    put(repo, "app-two/main", "1")
    put(repo, "app.txt", "1")
    assert list(entries(repo)) == ["app/main"]


def test_packages_files_and_the_stacks_shared_files_go_in(repo: Path) -> None:
    for path in ("lib/a", "lib/b", "one/file", "one/other", "shared.json"):
        put(repo, path, "1")
    image = replace(IMAGE, packages=("lib",), files=("one/file",), stack=replace(STACK, shared=("shared.json",)))
    assert list(entries(repo, image)) == ["app/main", "lib/a", "lib/b", "one/file", "shared.json"]


def test_a_declaration_that_holds_no_file_is_a_mistake(repo: Path) -> None:
    with pytest.raises(UsageError, match="app: lib holds no file"):
        entries(repo, replace(IMAGE, packages=("lib",)))


def test_outside_a_git_checkout_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    put(tmp_path, "app/main", "1")
    with pytest.raises(Failure, match="not a git repository"):
        entries(tmp_path)


def test_submodules_and_repositories_inside_are_refused(repo: Path) -> None:
    (repo / "app/inner").mkdir()
    git(repo / "app/inner", "init", "-q")
    put(repo / "app/inner", "file", "1")
    with pytest.raises(Failure, match="app/inner is a git repository of its own"):
        entries(repo)
    commit(repo / "app/inner")
    git(repo, "-c", "advice.addEmbeddedRepo=false", "add", "app/inner")
    with pytest.raises(Failure, match="app/inner is a submodule"):
        entries(repo)


def test_the_context_holds_exactly_what_was_hashed(repo: Path, tmp_path: Path) -> None:
    put(repo, ".gitignore", "secret\n")
    put(repo, "app/secret", "1")
    put(repo, "app/run", "#!")
    (repo / "app/run").chmod(0o700)
    (repo / "app/link").symlink_to("/etc/passwd")
    folder = tmp_path / "context"
    folder.mkdir()
    context.write(repo, inputs(repo), folder)
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    assert sorted(found) == ["app/link", "app/main", "app/run"]
    assert (found["app/run"].stat().st_mode & 0o777, found["app/main"].stat().st_mode & 0o777) == (0o755, 0o644)
    assert str(found["app/link"].readlink()) == "/etc/passwd"


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("two"),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.symlink_to("/etc/hostname")),
    ],
    ids=["content", "gone", "link"],
)
def test_a_file_that_changes_after_the_plan_is_refused(repo: Path, tmp_path: Path, change: Callable[[Path], object]) -> None:
    planned = inputs(repo)
    change(repo / "app/main")
    folder = tmp_path / "context"
    folder.mkdir()
    with pytest.raises(Refused, match="app/main changed after the plan was made"):
        context.write(repo, planned, folder)


def test_on_a_file_system_without_modes_an_image_has_the_modes_that_git_has(repo: Path, tmp_path: Path) -> None:
    for name in ("run", "changed", "plain"):
        put(repo, f"app/{name}", "#!")
    (repo / "app/link").symlink_to("main")
    git(repo, "add", "-A")
    git(repo, "update-index", "--chmod=+x", "app/run", "app/changed")
    git(repo, "commit", "-qm", "x")
    git(repo, "config", "core.fileMode", "false")
    for name in ("changed", "plain", "new"):
        put(repo, f"app/{name}", "#! changed")
    for file in (repo / "app").iterdir():
        if not file.is_symlink():
            file.chmod(0o777)
    executable = {"app/run", "app/changed"}
    planned = inputs(repo)
    assert {entry.path: entry.mode for entry in planned.entries} == {
        **{f"app/{name}": "100644" for name in ("main", "plain", "new")},
        **dict.fromkeys(executable, "100755"),
        "app/link": "120000",
    }
    folder = tmp_path / "context"
    folder.mkdir()
    context.write(repo, planned, folder)
    modes = {str(file.relative_to(folder)): file.stat().st_mode & 0o777 for file in folder.glob("app/*") if not file.is_symlink()}
    assert modes == {path: 0o755 if path in executable else 0o644 for path in modes}
    assert len(modes) == 5


def test_a_mode_that_changes_after_the_plan_is_not_in_the_image(repo: Path, tmp_path: Path) -> None:
    planned = inputs(repo)
    (repo / "app/main").chmod(0o755)
    folder = tmp_path / "context"
    folder.mkdir()
    context.write(repo, planned, folder)
    assert (folder / "app/main").stat().st_mode & 0o777 == 0o644


def test_a_repository_of_sha256_objects_works(tmp_path: Path, repo: Path) -> None:
    other = tmp_path / "sha256"
    other.mkdir()
    git(other, "init", "-q", "--object-format=sha256")
    put(other, "app/main", "one")
    commit(other)
    assert entries(other)["app/main"].content == blob(b"one", 64)
    put(other, "app/main", "two")
    assert entries(other)["app/main"].content == blob(b"two", 64)


def test_in_the_context_no_two_contents_of_a_file_have_one_date() -> None:
    dates = {context.date_of(blob(str(number).encode())) for number in range(1000)}
    assert len(dates) == 1000
    assert max(dates) <= EPOCH * 10**9


def outside(tmp_path: Path) -> Path:
    """A folder outside the checkout with the file `main`, which nobody else may read."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "main").write_text("one")
    (folder / "main").chmod(0o600)
    os.utime(folder / "main", (1, 1))
    return folder


@pytest.mark.parametrize("flag", ["", "--assume-unchanged", "--skip-worktree"])
def test_a_folder_that_gave_way_to_a_link_is_a_link_and_nothing_behind_it_goes_in(repo: Path, tmp_path: Path, flag: str) -> None:
    put(repo, "app/folder/main", "one")
    commit(repo)
    if flag:
        git(repo, "update-index", flag, "app/folder/main")
    away = outside(tmp_path)
    (repo / "app/folder/main").unlink()
    (repo / "app/folder").rmdir()
    (repo / "app/folder").symlink_to(away)
    planned = inputs(repo)
    assert [entry.path for entry in planned.entries] == ["app/folder", "app/main"]
    before = (away / "main").stat()
    folder = tmp_path / "context"
    folder.mkdir()
    context.write(repo, planned, folder)
    assert (folder / "app/folder").is_symlink()
    assert (away / "main").stat() == before
    (away / "main").write_text("two")
    assert key(inputs(repo)) == key(planned)


@pytest.mark.parametrize("gone", ["app", "lib"])
def test_a_declared_folder_behind_a_link_holds_no_file(repo: Path, tmp_path: Path, gone: str) -> None:
    put(repo, "lib/deep/main", "one")
    commit(repo)
    (repo / gone).rename(tmp_path / gone)
    (repo / gone).symlink_to(tmp_path / gone)
    image = replace(IMAGE, path="app/main" if gone == "app" else "lib/deep")
    with pytest.raises(UsageError, match="holds no file"):
        entries(repo, image)


def test_nothing_is_written_through_a_link_whatever_the_plan_says(repo: Path, tmp_path: Path) -> None:
    away = outside(tmp_path)
    put(repo, "app/folder/main", "one")
    planned = inputs(repo)
    content = blob(os.fsencode(away))
    both = (InputFile("app/folder", "120000", content, str(away)), *planned.entries)
    (repo / "app/folder/main").unlink()
    (repo / "app/folder").rmdir()
    (repo / "app/folder").symlink_to(away)
    before = (away / "main").stat()
    for entries_ in (both[:1], both, both[1:]):
        folder = tmp_path / f"context-{len(entries_)}"
        folder.mkdir()
        if entries_ == both[:1]:
            context.write(repo, replace(planned, entries=(both[0]._replace(text=None),)), folder)
            continue
        with pytest.raises(Refused, match="app/folder"):
            context.write(repo, replace(planned, entries=tuple(entry._replace(text=None) for entry in entries_)), folder)
    assert (away / "main").stat() == before


def test_a_clone_that_lets_git_compare_little_is_compared_in_full(repo: Path, tmp_path: Path) -> None:
    git(repo, "config", "core.checkStat", "minimal")
    git(repo, "config", "core.trustctime", "false")
    old = (repo / ".git/index").stat().st_mtime_ns - 5 * 10**9
    os.utime(repo / "app/main", ns=(old, old))
    git(repo, "update-index", "--refresh")
    before = key(inputs(repo))
    changed = (repo / "app/main").stat().st_ctime
    while time.time() < int(changed) + 1:  # git compares seconds
        time.sleep(0.02)
    put(repo, "app/main", "two")
    os.utime(repo / "app/main", ns=(old, old))
    assert git(repo, "status", "--short") == ""
    assert key(inputs(repo)) != before


def test_a_clone_that_knows_no_links_has_files_in_their_place(repo: Path, tmp_path: Path) -> None:
    (repo / "app/link").symlink_to("main")
    commit(repo)
    git(repo, "config", "core.symlinks", "false")
    (repo / "app/link").unlink()
    git(repo, "checkout", "--", "app/link")
    planned = inputs(repo)
    assert entries(repo)["app/link"] == InputFile("app/link", "100644", blob(b"main"))
    folder = tmp_path / "context"
    folder.mkdir()
    context.write(repo, planned, folder)
    assert (folder / "app/link").read_text() == "main"


def test_settings_of_tools_for_people_do_not_go_in_where_the_tools_look_for_them(repo: Path) -> None:
    for name in ("vitest.config.ts", "drizzle.config.ts", "biome.json", "eslint.config.mjs", "ruff.toml", "conftest.py", ".golangci.yml"):
        put(repo, f"app/{name}", "1")
        put(repo, f"app/src/{name}", "1")
    put(repo, "app/next.config.ts", "1")
    found = list(entries(repo))
    assert [path for path in found if not path.startswith("app/src/")] == ["app/main", "app/next.config.ts"]
    assert len(found) == 9
    assert "app/biome.json" in entries(repo, replace(IMAGE, files=("app/biome.json",)))


def test_migrations_go_into_the_images_alone_that_declare_them(repo: Path) -> None:
    for path in ("db/src/a", "db/migrations/0.sql", "db/migrations/meta/x", "db/migrations.md"):
        put(repo, path, "1")
    images = [
        replace(IMAGE, name=name, packages=(path,)) for name, path in (("a", "db"), ("b", "db/migrations"), ("c", "db/migrations/meta"))
    ]
    found = {name: [e.path for e in rows if e.path != "app/main"] for name, rows in gather(repo, images, apart="db/migrations").items()}
    assert found == {
        "a": ["db/migrations.md", "db/src/a"],
        "b": ["db/migrations/0.sql", "db/migrations/meta/x"],
        "c": ["db/migrations/meta/x"],
    }


def test_what_builds_a_package_and_stands_in_no_lock_is_refused(repo: Path) -> None:
    put(repo, "app/pyproject.toml", '[project]\nname = "x"\n[build-system]\nrequires = ["hatchling>=1.27,<2"]\n')
    with pytest.raises(UsageError, match=r"app/pyproject\.toml is built with hatchling>=1\.27,<2"):
        entries(repo)
    put(repo, "app/pyproject.toml", '[project]\nname = "x"\n[build-system]\nrequires = ["uv_build==0.13.9"]\n')
    assert "app/pyproject.toml" in entries(repo)


def test_a_patch_file_of_the_workspace_goes_in_and_one_that_is_not_there_is_named(repo: Path) -> None:
    hash_ = "a" * 64
    lock = f"lockfileVersion: '9.0'\n\npatchedDependencies:\n  x: {hash_}\n\nimporters:\n\n  app:\n    dependencies:\n      x:\n"
    lock += f"        specifier: 1.0.0\n        version: 1.0.0(patch_hash={hash_})\n\nsnapshots:\n\n  x@1.0.0(patch_hash={hash_}): {{}}\n"
    put(repo, "pnpm-lock.yaml", lock)
    put(repo, "pnpm-workspace.yaml", "packages: [app]\npatchedDependencies: {x: patches/x.patch}\n")
    put(repo, "package.json", "{}")
    put(repo, "app/package.json", "{}")
    image = replace(IMAGE, stack=replace(STACK, shared=("package.json", "pnpm-workspace.yaml", "pnpm-lock.yaml")))
    with pytest.raises(UsageError, match=r"pnpm-workspace\.yaml names patches/x\.patch, which is no file that git knows"):
        entries(repo, image)
    put(repo, "patches/x.patch", "one")
    put(repo, "patches/other.patch", "one")
    put(repo, ".pnpmfile.cjs", "one")
    before = entries(repo, image)
    assert {"patches/x.patch", ".pnpmfile.cjs"} <= before.keys()
    assert "patches/other.patch" not in before
    put(repo, "patches/x.patch", "two")
    assert entries(repo, image)["patches/x.patch"] != before["patches/x.patch"]
