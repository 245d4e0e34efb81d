"""The testbed, once for all tests of a run, in however many workers: started by the first that asks for it, ended after the last."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import DockerClient
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

from ops import testbed as rooms
from ops import tools
from ops.cluster.target import resolve_target
from ops.documents import Json
from ops.kube import write
from ops.kube.client import Client
from ops.kube.connect import connect
from ops.testbed import Testbed
from tests.integration import probe_image
from tests.integration.cluster import Cluster
from tests.integration.small_platform import Platform

WAS_RUNNING = pytest.StashKey[bool]()
USED = pytest.StashKey[bool]()
ALONE = re.compile(r"/test_deploy\w*\.py::")  # each of these tests has a place of its own in the cluster, and shares nothing with its file


def _unit(test: str) -> str:
    """What a worker takes at once: a file, whose tests go on where the one before stopped, or a test."""
    return test if ALONE.search(test) else test.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files first: single tests fill up what is left, so that no worker has a file to run when the others have ended."""
    items.sort(key=lambda item: _unit(item.nodeid) == item.nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadScopeScheduling:
    """How the workers get their tests."""

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
        def _split_scope(self, nodeid: str) -> str:
            return _unit(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Whether somebody's testbed runs before this run: then it stays, and nothing may end it. A worker is told by its master."""
    if hasattr(config, "workerinput"):
        config.stash[WAS_RUNNING] = config.workerinput["testbed_was_running"]
    else:
        config.stash[WAS_RUNNING] = rooms.running() is not None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker of pytest-xdist."""
    node.workerinput["testbed_was_running"] = node.config.stash[WAS_RUNNING]  # type: ignore[attr-defined]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker tells its master whether it used the testbed."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["testbed_used"] = session.config.stash.get(USED, False)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """What a worker told; one that crashed may have used it."""
    if error or getattr(node, "workeroutput", {}).get("testbed_used", True):
        node.config.stash[USED] = True  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """The end of the run, when no worker is left. A testbed that this run did not use is somebody else's, who started it meanwhile."""
    if not hasattr(config, "workerinput") and config.stash.get(USED, False) and not config.stash[WAS_RUNNING] and rooms.running():
        rooms.down()


@pytest.fixture(scope="session")
def testbed_was_running(pytestconfig: pytest.Config) -> bool:
    """Whether the testbed ran before this run."""
    return pytestconfig.stash[WAS_RUNNING]


@pytest.fixture(scope="session")
def testbed(pytestconfig: pytest.Config) -> Testbed:
    """A real Docker Engine, registry and Kubernetes. Where none can run the test is skipped with the reason; with CI=true it fails."""
    reason = rooms.reason("native") if rooms.provider() != "existing" else None  # these tests look into the native one's folders
    if reason:
        text = f"no testbed on this machine: {reason}"
        if os.environ.get("CI") == "true":
            pytest.fail(text)
        pytest.skip(text)
    pytestconfig.stash[USED] = True
    return rooms.up()


@pytest.fixture
def engine(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> DockerClient:
    """The testbed's Docker Engine, as the one of this machine."""
    monkeypatch.setenv("DOCKER_HOST", testbed.docker_host)
    monkeypatch.setenv("DOCKER_CONFIG", str(testbed.docker_config))
    return DockerClient(base_url=testbed.docker_host)


@pytest.fixture(scope="session")
def digests(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two versions of the same image, in the testbed's registry."""
    folder = tmp_path_factory.mktemp("probe")
    go = tools.find("go").argv[0]
    found: dict[str, str] = {}
    # The workers push the same layers into the same repositories: at the same moment, the registry refuses a manifest whose layer
    # another is just writing again.
    with FileLock(tmp_path_factory.getbasetemp().parent / "probe.lock"):
        for version in ("one", "two"):
            program = probe_image.build(folder, go, version)
            for name in ("ct-web", "ct-migrate", "ct-store"):
                found[version] = probe_image.push(testbed.registry, f"nextai/{name}", program)
    return found


@pytest.fixture(scope="session")
def foreign_digest(testbed: Testbed, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that says it is for this machine, with a program for another kind of processor."""
    program = probe_image.build(tmp_path_factory.mktemp("foreign"), tools.find("go").argv[0], "one", "arm64")
    return probe_image.push(testbed.registry, "nextai/ct-web", program)


@pytest.fixture
def cluster(testbed: Testbed, digests: dict[str, str], tmp_path: Path) -> Iterator[Cluster]:
    """An empty place in the cluster, with the Secret that the platform needs, and nothing left of it afterwards."""
    platform = Platform(tmp_path, dict.fromkeys(("ct-web", "ct-migrate", "ct-store"), digests["one"]))
    target = resolve_target(platform.catalog(), "staging", testbed)
    namespaces = (platform.home, platform.data)
    with connect(target) as client:
        _make_secret(client, platform.home, "abc")
        try:
            yield Cluster(target, client, platform)
        finally:
            for namespace in namespaces:
                write.delete(client, f"/api/v1/namespaces/{namespace}")


def _make_secret(client: Client, namespace: str, token: str) -> None:
    client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": namespace}})
    secret: Json = {"metadata": {"name": "web-secrets"}, "stringData": {"TOKEN": token}}
    client.request("POST", f"/api/v1/namespaces/{namespace}/secrets", body=secret)
