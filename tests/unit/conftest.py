"""What several files of unit tests share."""

from pathlib import Path

import pytest

from tests.unit.release_clone import ROOT, commit, git


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a bare repository, in a path with a space, with two commits pushed."""
    for key, value in {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "C"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "c@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    remote, folder = tmp_path / "remote.git", tmp_path / "a clone"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(remote))
    git(tmp_path, "clone", "-q", str(remote), str(folder))
    git(folder, "switch", "-qc", "main")
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    commit(folder, "a", "1", "feat(web): a page")
    commit(folder, "pyproject.toml", (ROOT / "pyproject.toml").read_text() + "\n", "fix: settings")
    git(folder, "push", "-q", "origin", "main")
    return folder
