"""A folder that may not be read holds nothing for us, and ends no verb: on PATH, or named by a variable."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.command import Command, run
from ops.errors import Failure

ROOT = Path(__file__).parents[2]
# Root reads everything: what it starts gives up that power first (capabilities(7)).
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--") if os.geteuid() == 0 else ()


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder with a program in it, which may not be read."""
    folder = tmp_path / "closed"
    (folder / "bin").mkdir(parents=True)
    for name in ("go", "kubectl", "redis-server", "chromium", "docker", "kustomize"):
        (folder / "bin" / name).write_text("#!/bin/sh\necho 99.9.9\n")
        (folder / "bin" / name).chmod(0o755)
    folder.chmod(0)
    assert subprocess.run((*ORDINARY, "ls", folder), capture_output=True, check=False).returncode != 0
    yield folder
    folder.chmod(0o700)


def examined(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*ORDINARY, sys.executable, "-m", "invoke", "doctor", "--json"),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("shape", ["{closed}/bin", "{closed}", "{long}", "{file}", "{loop}"])
def test_a_folder_of_path_that_may_not_be_read_hides_no_program_behind_it(closed: Path, tmp_path: Path, shape: str) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "file").touch()
    odd = shape.format(closed=closed, long=tmp_path / ("x" * 300), file=tmp_path / "file", loop=tmp_path / "loop")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "shellcheck").write_text("#!/bin/sh\necho version: 99.8.7\n")
    (tools / "shellcheck").chmod(0o755)
    done = examined({"PATH": os.pathsep.join((odd, str(tools), os.environ["PATH"]))})
    assert done.stdout, done.stderr
    found = {finding["what"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert found["shellcheck"]["detail"] == "99.8.7 (PATH)"
    assert "Permission denied" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "name", ["PLAYWRIGHT_BROWSERS_PATH", "NEXTAI_TESTBED_KUBECONFIG", "DOCKER_CONFIG", "KUBECONFIG", "NEXTAI_STATE", "NEXTAI_CACHE"]
)
def test_a_folder_of_a_variable_that_may_not_be_read_leaves_the_doctor_everything_else(closed: Path, name: str) -> None:
    done = examined({name: str(closed / "there")})
    assert done.stdout, done.stderr
    found = {finding["what"] for finding in json.loads(done.stdout)["findings"]}
    assert {"cache folder", "state folder", "node", "ports", "Docker Engine"} <= found


def test_a_program_that_only_a_closed_folder_could_have_is_not_found(closed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "from ops.command import Command, run\nrun(Command(('kubectl-of-nobody',), 'asking'))"
    environment = {**os.environ, "PATH": f"{closed}/bin:/usr/bin:/bin"}
    done = subprocess.run((*ORDINARY, sys.executable, "-c", code), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert "kubectl-of-nobody: not found where this user may look, on PATH" in done.stderr
    with pytest.raises(Failure, match=r"kubectl-of-nobody: not found$"):
        run(Command(("kubectl-of-nobody",), "asking"))


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "Set NEXTAI_STATE and NEXTAI_CACHE to two folders that you can write, the second with some gigabytes free."),
        ({"NEXTAI_STATE": "{open}"}, "Set NEXTAI_CACHE to a folder that you can write, with some gigabytes free."),
        ({"NEXTAI_CACHE": "{open}"}, "Set NEXTAI_STATE to a folder that you can write."),
    ],
)
def test_a_home_that_may_not_be_written_names_every_variable_that_has_to_be_set(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("NEXTAI_", "XDG_"))}
    own = {name: value.format(open=tmp_path) for name, value in variables.items()}
    done = subprocess.run(
        (*ORDINARY, sys.executable, "-m", "invoke", "doctor", "--json"),
        cwd=ROOT,
        env={**plain, "HOME": str(home), **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found = [one for one in json.loads(done.stdout)["findings"] if one["what"] in ("cache folder", "state folder")]
    assert {one["remedy"] for one in found if one["state"] == "missing"} == {said}
