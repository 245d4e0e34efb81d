"""Every verb as a program, while one request in five to the API server and the registry fails: a trial of some minutes, made at night."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.cluster.target import Target, resolve_target
from ops.kube import write
from ops.kube.connect import connect
from ops.kube.kubectl import forward
from ops.kube.objects import text
from ops.testbed import Testbed
from tests.integration import audit
from tests.integration.faults import KINDS, Faults, api_server, registry
from tests.integration.rounds import ROUNDS
from tests.integration.small_checkout import TAG, Checkout, named, program

# Each kind as often as any other, but for silence, which costs five seconds each time.
ONE_IN_FIVE = (*(kind for kind in KINDS if kind != "silent"),) * 2 + ("silent",)


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
                write.delete(client, f"/api/v1/namespaces/{namespace}")


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
