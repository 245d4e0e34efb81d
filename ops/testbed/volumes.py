"""The volumes of the testbed's cluster: few, made once, and kept by Kubernetes with what was in them when their claim is gone."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from ops.command import Command, run
from ops.testbed.layout import Layout
from ops.testbed.processes import environment

FOLDER = "volumes"  # in the state folder, with a folder for each
# A claim that nobody makes: while a volume is kept for it, nobody is given what is being emptied.
EMPTYING: Mapping[str, object] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "namespace": "kube-system",
    "name": "nobody-while-it-is-emptied",
}
_CLAIM = "/spec/claimRef"


def free_released(layout: Layout) -> list[str]:
    """Empty the volumes whose claim is gone, and give them back; returns their names.

    Nobody can get at what is in one: Kubernetes lets no claim have it again. A claim goes after the last pod that uses it.
    """
    answer = _kubectl(layout, "asking for the volumes", "get", "persistentvolumes", "--output=json")
    volumes = json.loads(answer or "{}").get("items", [])
    return [volume["metadata"]["name"] for volume in volumes if _freed(layout, volume)]


def _freed(layout: Layout, volume: Mapping[str, Mapping[str, Mapping[str, str]]]) -> bool:
    name, claim = str(volume["metadata"]["name"]), volume["spec"].get("claimRef", {})
    folder = layout.state / FOLDER / name
    if Path(volume["spec"].get("local", {}).get("path", "")) != folder:
        return False
    if claim.get("name") != EMPTYING["name"]:  # else an earlier start was killed meanwhile
        if str(volume.get("status", {}).get("phase")) != "Released":
            return False
        # Only as it was seen: somebody else may have given it back meanwhile, and a new claim may have it.
        known = {"op": "test", "path": f"{_CLAIM}/uid", "value": claim.get("uid")}
        if not _changed(layout, name, known, {"op": "replace", "path": _CLAIM, "value": {**EMPTYING}}):
            return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return False  # what could not be emptied is kept for nobody: the next start tries again
    return _changed(layout, name, {"op": "remove", "path": _CLAIM})


def _changed(layout: Layout, name: str, *operations: Mapping[str, object]) -> bool:
    change = json.dumps(operations)
    return bool(_kubectl(layout, f"giving back {name}", "patch", "persistentvolume", name, "--type=json", f"--patch={change}"))


def _kubectl(layout: Layout, doing: str, *words: str) -> str:
    """What kubectl writes; nothing where it fails: no start of a testbed fails since a volume is not given back."""
    done = run(Command((f"{layout.bin}/kubectl", *words), doing, env=environment(layout)), check=False, timeout=30)
    return "" if done.code else done.stdout
