"""Every verb as a program, behind an API server and a registry that fail: one request in five, or all of them."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops import testbed as rooms
from ops.cluster.target import Target, resolve_target
from ops.kube.connect import connect
from ops.kube.kubectl import forward
from ops.kube.objects import text
from ops.testbed import Testbed
from ops.testbed.existing import CONTEXT, KUBECONFIG, REGISTRY
from tests.integration import audit
from tests.integration.faults import KINDS, Faults, api_server, closed_registry, kubeconfig, registry
from tests.integration.rounds import ROUNDS
from tests.integration.small_checkout import TAG, Checkout, program

VERBS = (
    ("plan",),
    ("deploy", "--yes"),
    ("status",),
    ("history",),
    ("logs", "fx-web"),
    ("scale", "fx-web", "--replicas", "2", "--yes"),
    ("rollback", "--yes"),
    ("migrate", "--yes"),
    ("migrate.status",),
    ("shell", "fx-web"),
)
NEEDS_IMAGES = VERBS[:2]
# Each kind as often as any other, but for silence, which costs five seconds each time.
ONE_IN_FIVE = (*(kind for kind in KINDS if kind != "silent"),) * 2 + ("silent",)


def named(testbed: Testbed, config: Path, address: str) -> dict[str, str]:
    """The environment in which `--testbed` means this API server and this registry."""
    own = {name: value for name, value in rooms.environment(testbed).items() if name in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH")}
    return {**own, KUBECONFIG: str(config), CONTEXT: testbed.context, REGISTRY: address}


@dataclass
class Place:
    """A checkout with its place in the cluster, which is reached straight here."""

    checkout: Checkout
    target: Target
    testbed: Testbed

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says."""
        import psycopg

        with connect(self.target) as client:
            secret = client.request("GET", f"/api/v1/namespaces/{self.checkout.data}/secrets/postgres-secrets")
        import base64

        password = base64.b64decode(text(secret, "data", "POSTGRES_PASSWORD")).decode()
        with (
            forward(self.target, self.checkout.data, "service/postgres", 5432) as port,
            psycopg.connect(f"host=127.0.0.1 port={port} user=faults dbname=faults", password=password) as connection,
        ):
            return connection.execute(query.encode()).fetchall()

    def made_twice(self) -> list[str]:
        """What was made although it was there: by the audit log each object is made once more than it was deleted, at most."""
        made: dict[str, int] = {}
        for event in audit.events(self.testbed):
            place = event.get("objectRef", {})
            if self.checkout.name not in place.get("namespace", "") or "dryRun" in event["requestURI"]:
                continue
            code, name = event.get("responseStatus", {}).get("code"), f"{place.get('resource')}/{place.get('name')}"
            if place.get("subresource") or not event.get("userAgent", "").startswith("nextai-deploy"):
                continue
            made[name] = made.get(name, 0) + (code == 201) - (event["verb"] == "delete" and code == 200)
        return [name for name, count in made.items() if count > 1]


@pytest.fixture
def place(testbed: Testbed, tmp_path: Path) -> Iterator[Place]:
    from ops import catalog

    checkout = Checkout(tmp_path / "a checkout").make(program(tmp_path / "program"))
    target = resolve_target(catalog.load(checkout.root), "staging", testbed)
    try:
        yield Place(checkout, target, testbed)
    finally:
        with connect(target) as client:
            for namespace in (checkout.home, checkout.data):
                client.delete_path(f"/api/v1/namespaces/{namespace}")


@pytest.mark.parametrize("seed", ROUNDS)
def test_every_verb_of_the_command_line_ends_right_though_one_request_in_five_fails(
    place: Place, testbed: Testbed, tmp_path: Path, seed: int
) -> None:
    cluster, images = Faults(seed=seed, kinds=ONE_IN_FIVE), Faults(seed=seed, kinds=ONE_IN_FIVE)
    checkout = place.checkout
    with api_server(testbed, tmp_path / "faults", cluster) as config, registry(testbed.registry, images) as address:
        environment = named(testbed, config, address)

        def verb(*words: str, code: int = 0) -> Any:
            done = checkout.verb(*words, env=environment)
            assert done.code == code, (words, cluster.met, images.met, done.err[-4000:])
            return done.document if "--json" in words else done.out + done.err

        def together(*verbs: Callable[[], Any]) -> list[Any]:
            """Those that do not touch the same thing: each of them mostly waits."""
            with ThreadPoolExecutor(len(verbs)) as pool:
                return [future.result() for future in [pool.submit(each) for each in verbs]]

        assert verb("plan", "--detailed-exitcode", "--json", code=10)["plan"]["steps"]
        assert verb("deploy", "--yes", "--json")["state"] == "done"
        assert [m["file"] for m in verb("migrate.status", "--json")["pending"]] == [f"{TAG}.sql"]
        migrated, scaled = together(
            lambda: verb("migrate", "--yes", "--json"), lambda: verb("scale", "fx-web", "--replicas", "2", "--yes", "--json")
        )
        assert [m["file"] for m in migrated["applied"]] == [f"{TAG}.sql"]
        assert scaled["state"] == "done"
        checkout.greet("another word")
        again, deployed = together(lambda: verb("migrate", "--yes", "--json"), lambda: verb("deploy", "--yes", "--json"))
        assert (again["applied"], deployed["state"]) == ([], "done")
        assert verb("rollback", "--yes", "--json")["state"] == "done"
        status, log, history, shell = together(
            lambda: verb("status", "--json"),
            lambda: verb("logs", "fx-web"),
            lambda: verb("history", "--json"),
            lambda: checkout.shell("echo it $((40 + 2)) works", "it 42 works", environment),
        )
        rows = {row["name"]: (row["ready"], row["why"]) for row in status["workloads"]}
        assert rows["fx-web"] == (2, "") and rows["postgres"] == (1, "")
        assert "probe faults listens" in log
        assert shell.count("it 42 works") == 1
        records = history["records"]
    assert [(r["kind"], r["outcome"]) for r in records] == [(kind, "good") for kind in ("deploy", "scale", "deploy", "rollback")]
    assert place.rows("SELECT n, (SELECT count(*) FROM drizzle.__drizzle_migrations) FROM once") == [(1, 1)]
    assert place.made_twice() == []
    assert cluster.total() > 20, cluster.met
    assert images.total() > 1, images.met


def alongside(checkout: Checkout, verbs: Sequence[tuple[str, ...]], environment: Callable[[int], dict[str, str]]) -> list[str]:
    """What each verb says, that fails; they mostly wait, so they are run at the same time."""
    with ThreadPoolExecutor(5) as pool:
        each = pool.map(lambda number: checkout.verb(*verbs[number], env=environment(number)), range(len(verbs)))
        ended = list(each)
    assert [done.code for done in ended] == [1] * len(verbs), ended
    return [done.err for done in ended]


WORDS = {
    "429": r"the API server {0} is overloaded \(429\)",
    "500": r"the API server {0} failed \(500\)",
    "503": r"{0} answered 503, and not as an API server does: a proxy or a load balancer",
    "reset": r"{0} does not answer",
    "silent": r"{0} does not answer",
}


@pytest.mark.parametrize("seed", ROUNDS)
@pytest.mark.parametrize("first", [True, False], ids=["from the beginning", "after it has answered once"])
def test_every_verb_names_the_api_server_that_always_fails(testbed: Testbed, tmp_path: Path, seed: int, first: bool) -> None:
    """Another kind of failure for each verb; at night each verb meets all of them."""
    checkout = Checkout(tmp_path / "a checkout").make()
    kinds = list(WORDS) if first else [kind for kind in WORDS if kind != "silent"]  # which would be two minutes
    with several(testbed, tmp_path, kinds, first=first) as configs:
        chosen = [kinds[(number + seed) % len(kinds)] for number in range(len(VERBS))]
        said = alongside(checkout, VERBS, lambda number: named(testbed, configs[chosen[number]], testbed.registry))
    for verb, kind, words in zip(VERBS, chosen, said, strict=True):
        assert re.search(WORDS[kind].format(r"https://127\.0\.0\.1:\d+"), words), (verb, kind, words)


@contextmanager
def several(testbed: Testbed, folder: Path, kinds: Sequence[str], *, first: bool) -> Iterator[dict[str, Path]]:
    """An API server for each kind of failure, which fails always, or after it was greeted."""
    with ExitStack() as stack:
        faults = {kind: Faults(one_in=1, kinds=(kind,), only=lambda _, path: first or path != "/version") for kind in kinds}
        yield {kind: stack.enter_context(api_server(testbed, folder / kind, faults[kind])) for kind in kinds}


def test_a_verb_that_needs_images_names_the_registry_or_the_token_server_that_always_fails(testbed: Testbed, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "a checkout").make()
    with ExitStack() as stack:
        failing = [stack.enter_context(registry(testbed.registry, Faults(one_in=1, kinds=(kind,)))) for kind in WORDS]
        closed = [stack.enter_context(closed_registry(f"http://{server}/token")) for server in failing]
        addresses = [*failing, *closed]
        verbs = [NEEDS_IMAGES[number % 2] for number in range(len(addresses))]
        said = alongside(checkout, verbs, lambda number: named(testbed, testbed.kubeconfig, addresses[number]))
    for address, words in zip(failing, said, strict=False):
        assert f"asking the registry {address}" in words and "token service" not in words, words
    for server, words in zip(failing, said[len(failing) :], strict=True):
        assert f"its token service http://{server}" in words, words


def test_every_verb_names_the_program_that_gives_no_credentials(testbed: Testbed, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "a checkout").make()
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\necho 'the login server is away' >&2\nexit 1\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}}
    config = kubeconfig(tmp_path / "kubeconfig", testbed.context, {"server": "https://127.0.0.1:1"}, user)  # type: ignore[arg-type]
    for verb, words in zip(VERBS, alongside(checkout, VERBS, lambda _: named(testbed, config, testbed.registry)), strict=True):
        assert f"its program {plugin} (`exec` in the kubeconfig)" in words and "the login server is away" in words, (verb, words)
