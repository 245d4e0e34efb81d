"""`invoke new`: one service of each stack, through every check and all four forms of the platform, and away again.

The tests go on where the one before stopped. Names are the same in each run, so that images that have been built are found again.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.checks.files import tracked
from ops.local import compose, composecontainers, embedded, state
from ops.local.ports import free_ports
from ops.local.state import State
from ops.stacks import kind_of, scaffold
from ops.testbed import Testbed
from ops.verbs import sync

ROOT = Path(__file__).parents[2]
STACKS = scaffold.stacks(ROOT)
NAMES = {f"new-{stack}-service": stack for stack in STACKS}
ENTRY = 12  # lines in platform.yaml at most
CACHES = (".mypy_cache", ".ruff_cache")  # what the linters know of the files that are the same


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of this checkout, in a path with a space."""

    root: Path

    def run(self, *argv: str, codes: tuple[int, ...] = (0,), seconds: float = 600, **env: str) -> str:
        began = time.monotonic()
        own = {name: value for name, value in os.environ.items() if not name.startswith(("NEXTAI_STATE", "PYTEST", "NOX"))}
        done = subprocess.run(argv, cwd=self.root, env={**own, **env}, capture_output=True, text=True, check=False, timeout=seconds)
        print(f"{time.monotonic() - began:6.1f} s  {' '.join(argv)}")
        assert done.returncode in codes, f"{argv}: exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def git(self, *arguments: str) -> str:
        return self.run("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false", *arguments)

    def invoke(self, *arguments: str) -> dict[str, object]:
        document: dict[str, object] = json.loads(self.run(sys.executable, "-m", "invoke", *arguments, "--json"))
        return document


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """With a service of each stack, as `invoke new` makes it and nobody has changed it."""
    made = Checkout(tmp_path_factory.mktemp("new") / "a checkout")
    for name in tracked(ROOT, "."):
        (made.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, made.root / name, follow_symlinks=False)
    for name in CACHES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, made.root / name)
    for arguments in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "before")):
        made.git(*arguments)
    for name, stack in NAMES.items():
        made.invoke("new", name, "--stack", stack)
    return made


@pytest.fixture(scope="module")
def alone(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, State]:
    """The new services and the database that every platform has, on ports and in a state folder of their own."""
    whole = catalogue.load(checkout.root)
    stores = {whole.database.store: whole.stores[whole.database.store]}
    ports = free_ports(len(NAMES) + len(stores))
    catalog = replace(
        whole,
        platform=f"test-{os.getpid()}",
        services={name: replace(whole.services[name], local_port=ports.pop()) for name in NAMES},
        stores={name: replace(store, local_port=ports.pop()) for name, store in stores.items()},
        jobs={whole.database.job: whole.jobs[whole.database.job]},
    )
    return catalog, state.opened(State(tmp_path_factory.mktemp("state") / "of it"))


def healthy(catalog: Catalog) -> Iterator[str]:
    """The services that answer both of their health paths by the contract."""
    for service in catalog.services.values():
        for path in dict.fromkeys((service.health, service.ready)):
            with urllib.request.urlopen(f"http://127.0.0.1:{service.local_port}{path}", timeout=10) as answer:
                body = json.load(answer)
            assert body["status"] == "ok", (service.name, path, body)
            if path == service.health:
                assert body["service"] == service.name and set(body) == {"status", "service", "version"}, body
        yield service.name


def test_what_is_written_outside_the_folder_is_one_entry(checkout: Checkout) -> None:
    catalog = catalogue.load(checkout.root)
    folders = [f"{catalog.services[name].path}/" for name in NAMES]
    written = checkout.git("status", "--porcelain", "--untracked-files=all", "-z").split("\0")[:-1]
    outside = {line[3:] for line in written if not line[3:].startswith(tuple(folders))}
    assert outside - {str(path) for path in sync.derived(catalog)} == {"platform.yaml", "pnpm-lock.yaml"}
    added, removed, _ = checkout.git("diff", "--numstat", "platform.yaml").split(maxsplit=2)
    assert int(added) <= ENTRY * len(NAMES) and removed == "0"
    assert checkout.invoke("sync", "--check")["stale"] == []


def test_every_check_passes(checkout: Checkout) -> None:
    checkout.git("add", "-A")
    sessions = ["lint", "typecheck", "manifests", *(f"services({name})" for name in NAMES)]
    # An argument for pytest: so no pass is kept for a checkout that is gone soon.
    checkout.run(sys.executable, "-m", "nox", "--parallel", "2", "--session", *sessions, "--", "-q", seconds=900)


def test_they_run_as_processes(alone: tuple[Catalog, State]) -> None:
    catalog, home = alone
    try:
        embedded.start(catalog, home)
        assert set(healthy(catalog)) == set(NAMES)
    finally:
        embedded.stop(home)
    assert embedded.running(home) is None


def test_they_run_in_compose(alone: tuple[Catalog, State], testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog, home = alone
    monkeypatch.setenv("DOCKER_HOST", testbed.docker_host)
    monkeypatch.setenv("DOCKER_CONFIG", str(testbed.docker_config))
    try:
        compose.start(catalog, home)
        assert set(healthy(catalog)) == set(NAMES)
    finally:
        compose.stop(catalog, home, volumes=True)
    assert not composecontainers.leaves(catalog, home)


def in_cluster(testbed: Testbed, *arguments: str) -> str:
    argv = (str(testbed.kubectl), f"--kubeconfig={testbed.kubeconfig}", f"--context={testbed.context}", *arguments)
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def deployments(testbed: Testbed, namespace: str) -> set[str]:
    return set(in_cluster(testbed, "get", "deployments", "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}").split())


def test_they_run_in_a_cluster_and_leave_it_with_their_entries(checkout: Checkout, testbed: Testbed) -> None:
    catalog = catalogue.load(checkout.root)
    namespace = catalog.services[next(iter(NAMES))].namespace
    checkout.invoke("deploy", "--env", "staging", "--testbed", "--yes")
    assert deployments(testbed, namespace) == set(catalog.services)
    for name in NAMES:
        service = catalog.services[name]
        for path in (service.health, service.ready):
            in_cluster(testbed, "exec", "-n", namespace, f"deployment/{name}", "--", *kind_of(service.stack.name).health, path)

    checkout.git("reset", "-q", "--hard")
    checkout.git("clean", "-qfd")
    assert checkout.git("status", "--porcelain", "--ignored=no") == ""
    assert checkout.invoke("sync", "--check")["stale"] == []
    checkout.invoke("deploy", "--env", "staging", "--testbed", "--yes")
    assert deployments(testbed, namespace) == set(catalog.services) - set(NAMES)


def test_the_names_are_of_this_test_alone() -> None:
    assert not set(NAMES) & set(yaml.safe_load((ROOT / "platform.yaml").read_text())["services"])
