"""Volumes of the testbed whose claim is gone: which are emptied and given back. `integration/test_testbed.py` asks a real cluster."""

import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from ops.testbed import volumes
from ops.testbed.layout import Layout

# Keeps the volumes in a file, and takes the patches that kubectl would take.
KUBECTL = """#!{python}
import json, sys
from pathlib import Path
file = Path(__file__).with_name("volumes.json")
items = json.loads(file.read_text())
if sys.argv[1] == "get":
    sys.exit(print(json.dumps({{"items": items}})))
(name, change) = sys.argv[3], json.loads(sys.argv[5].removeprefix("--patch="))
(found,) = [item for item in items if item["metadata"]["name"] == name]
for operation in change:
    claim = found["spec"].get("claimRef")
    if operation["op"] == "test" and claim["uid"] != operation["value"] or (file.parent / "taken").exists():
        sys.exit(1)
    if operation["op"] == "replace":
        found["spec"]["claimRef"] = operation["value"]
    if operation["op"] == "remove":
        del found["spec"]["claimRef"]
        found["status"]["phase"] = "Available"
file.write_text(json.dumps(items))
print("patched")
"""


@pytest.fixture
def here(tmp_path: Path) -> Layout:
    import sys

    layout = Layout(tmp_path / "state", tmp_path / "cache", ipaddress.IPv4Network("10.231.0.0/16"), "127.0.0.1:1")
    layout.bin.mkdir(parents=True)
    program = layout.bin / "kubectl"
    program.write_text(KUBECTL.format(python=sys.executable))
    program.chmod(0o755)
    return layout


def keep(here: Layout, phase: str, claim: dict[str, Any] | None, path: Path | None = None) -> Path:
    """The one volume of the cluster, with a file in it."""
    folder = path or here.state / volumes.FOLDER / "local-00"
    folder.mkdir(parents=True)
    (folder / "file").touch()
    spec = {"local": {"path": str(folder)}, **({"claimRef": claim} if claim else {})}
    known = [{"metadata": {"name": "local-00"}, "spec": spec, "status": {"phase": phase}}]
    (here.bin / "volumes.json").write_text(json.dumps(known))
    return folder


def now(here: Layout) -> Any:
    (found,) = json.loads((here.bin / "volumes.json").read_text())
    return found["spec"].get("claimRef")


def test_one_whose_claim_is_gone_is_emptied_and_given_back(here: Layout) -> None:
    folder = keep(here, "Released", {"name": "kept", "uid": "1"})
    assert volumes.free_released(here) == ["local-00"]
    assert (list(folder.iterdir()), now(here)) == ([], None)
    assert volumes.free_released(here) == []


@pytest.mark.parametrize("phase", ["Bound", "Available", "Failed"])
def test_one_that_somebody_has_or_may_have_is_left(here: Layout, phase: str) -> None:
    claim = {"name": "kept", "uid": "1"}
    folder = keep(here, phase, claim)
    assert volumes.free_released(here) == []
    assert ([one.name for one in folder.iterdir()], now(here)) == (["file"], claim)


def test_one_that_somebody_else_gives_back_meanwhile_is_left(here: Layout) -> None:
    folder = keep(here, "Released", {"name": "kept", "uid": "1"})
    (here.bin / "taken").touch()
    assert volumes.free_released(here) == []
    assert [one.name for one in folder.iterdir()] == ["file"]


def test_one_of_a_start_that_was_killed_meanwhile_is_given_back_by_the_next(here: Layout) -> None:
    folder = keep(here, "Available", {**volumes.EMPTYING})
    assert volumes.free_released(here) == ["local-00"]
    assert (list(folder.iterdir()), now(here)) == ([], None)


def test_a_folder_that_is_not_the_testbeds_is_never_emptied(here: Layout, tmp_path: Path) -> None:
    folder = keep(here, "Released", {"name": "kept", "uid": "1"}, tmp_path / "elsewhere")
    assert volumes.free_released(here) == []
    assert [one.name for one in folder.iterdir()] == ["file"]


def test_a_cluster_that_does_not_answer_fails_no_start(here: Layout) -> None:
    (here.bin / "volumes.json").write_text("no answer")
    assert volumes.free_released(here) == []


def test_one_that_cannot_be_emptied_is_kept_and_tried_again(here: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(here, "Released", {"name": "kept", "uid": "1"})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *_, **__: None)
        assert volumes.free_released(here) == []
    assert now(here) == volumes.EMPTYING
    assert volumes.free_released(here) == ["local-00"]
