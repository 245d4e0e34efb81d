"""What the build and the deploy cost when nothing changed, on the testbed that runs: `invoke testbed.up`, `invoke deploy` first."""

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops import catalog
from ops.images import bake, context, plan
from ops.images.build import _builder
from ops.testbed import environment
from ops.tools import find
from ops.verbs.build import engine_of
from ops.verbs.target import running_testbed
from tests.benchmarks.timing import Compared, command, compare

ROOT = Path(__file__).parents[2]
INVOKE = (sys.executable, "-m", "invoke")
ENVIRONMENT = "staging"


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        yield Path(folder)


def building() -> list[Compared]:
    """A build of images that the registry has, against `docker buildx bake` of the same files with a warm cache."""
    known = catalog.load(ROOT)
    engine = engine_of(known, testbed=True)
    decided = plan(known, list(known.services), engine, push=True)
    with _folder() as folder:
        contexts = {folder / image.name: image for image in decided.images}
        for path, image in contexts.items():
            path.mkdir()
            context.write(ROOT, image.inputs, path)
        file = folder / "bake.json"
        file.write_text(json.dumps(bake.bakefile(contexts, push=True, versions=dict.fromkeys(known.services, "x"))))
        builder, env = _builder(engine)
        peer = command(
            [*builder, "bake", f"--file={file}", f"--allow=fs.read={folder}"], env={**_environment(), **env, **engine.environment}
        )
        services = [word for name in known.services for word in ("--service", name)]
        ours = command([*INVOKE, "build", "--push", "--testbed", *services], cwd=ROOT)
        listing = command([*INVOKE, "--list"], cwd=ROOT)
        return [
            compare(f"no-op build of {len(known.services)} images / buildx bake, all cached", ours, peer),
            compare(f"no-op build of {len(known.services)} images / invoke --list", ours, listing, 15),
        ]


def deploying() -> list[Compared]:
    """A deploy that finds nothing to do, against kubectl's diff and kubectl's apply of the same objects."""
    known = catalog.load(ROOT)
    bed = running_testbed(True)
    assert bed is not None
    target = known.environments[ENVIRONMENT]
    with _folder() as folder:
        file = folder / "objects.json"
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _planned()}))
        kubectl = [str(bed.kubectl), f"--kubeconfig={bed.kubeconfig}", f"--context={bed.context}"]
        fields = ["--server-side", "--field-manager=nextai-deploy", "--force-conflicts", "-f", str(file)]
        overlay = command([*find("kustomize").argv, "build", str(ROOT / str(target.overlay))])
        diff = command([*kubectl, "diff", *fields], env=_environment(), codes=(0, 1))
        apply = command([*kubectl, "apply", *fields], env=_environment())
        ours = command([*INVOKE, "deploy", "--env", ENVIRONMENT, "--testbed", "--yes"], cwd=ROOT)
        return [
            compare("no-op deploy / kustomize build, kubectl diff --server-side", ours, functools.partial(_both, overlay, diff)),
            compare("no-op deploy / kustomize build, kubectl apply --server-side", ours, functools.partial(_both, overlay, apply)),
        ]


def looking() -> list[Compared]:
    """The status of an environment, against kubectl's list of all pods: the aim is three times that."""
    bed = running_testbed(True)
    assert bed is not None
    kubectl = [str(bed.kubectl), f"--kubeconfig={bed.kubeconfig}", f"--context={bed.context}"]
    peer = command([*kubectl, "get", "pods", "--all-namespaces"], env=_environment())
    ours = command([*INVOKE, "status", "--env", ENVIRONMENT, "--testbed"], cwd=ROOT, codes=(0, 1))
    return [compare("status / kubectl get pods --all-namespaces", ours, peer, 15)]


def _planned() -> list[object]:
    """The objects as a deploy applies them, digests and checksums in place: the peers must not change what runs."""
    argv = [*INVOKE, "plan", "--env", ENVIRONMENT, "--testbed", "--json"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    return [step["manifest"] for step in json.loads(done.stdout)["plan"]["steps"] if step["manifest"]]


def _both(first: object, second: object) -> None:
    assert callable(first)
    assert callable(second)
    first()
    second()


def _environment() -> dict[str, str]:
    bed = running_testbed(True)
    assert bed is not None
    return {**os.environ, **environment(bed)}
