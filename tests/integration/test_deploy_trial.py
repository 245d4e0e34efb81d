"""The migration Job judges by itself, by what a file does: on the server beside it, and on the schema that the environment has."""

import base64
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from docker import DockerClient

from ops import catalog as catalogue
from ops import images
from ops.catalog import Catalog
from ops.cluster.planfile import from_document, to_document
from ops.errors import Failure
from ops.manifests.render import build
from ops.testbed import Testbed
from tests.integration import migrate_image
from tests.integration.cluster import Cluster
from tests.integration.small_platform import Platform

REAL = catalogue.load()
OURS = ("db-migrate", "postgres", "default-deny", "ingress-to-postgres", "egress-to-postgres")
BY_HAND = """
CREATE TABLE by_hand (a varchar(10));
CREATE FUNCTION cleanup() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE IF EXISTS by_hand; END $$;
"""


class Migrating(Platform):
    """The small platform with the real PostgreSQL and the real migration Job, as staging's overlay has them."""

    def catalog(self) -> Catalog:
        job, store = REAL.jobs[REAL.database.job], REAL.stores[REAL.database.store]
        return replace(
            super().catalog(),
            jobs={job.name: replace(job, namespace=self.home)},
            stores={store.name: replace(store, namespace=self.data)},
            database=REAL.database,
        )

    def objects(self) -> list[dict[str, Any]]:
        kept = [o for o in super().objects() if o["metadata"]["name"] not in ("ct-migrate", "store")]
        for space in (o for o in kept if o["kind"] == "Namespace"):  # by which the store knows the platform's namespaces
            space["metadata"].setdefault("labels", {})["app.kubernetes.io/part-of"] = REAL.platform
        text = build(REAL.root / str(REAL.environments["staging"].overlay))
        text = text.replace("nextai-system", self.home).replace("nextai-data", self.data)
        real = [o for o in yaml.safe_load_all(text) if o["metadata"].get("namespace") in (self.home, self.data)]
        return kept + [
            o
            for o in real
            if o["metadata"]["name"].startswith(OURS) or o["metadata"].get("labels", {}).get("app.kubernetes.io/name") in OURS
        ]


@pytest.fixture
def engine(testbed: Testbed) -> DockerClient:
    return DockerClient(base_url=testbed.docker_host)


@pytest.fixture
def base(testbed: Testbed) -> str:
    """The Job's image as the checkout makes it, in the testbed's registry."""
    place = images.BuildEngine(testbed.docker_host, testbed.docker_config, testbed.registry)
    made = images.plan(REAL, ["db-migrate"], place, push=True)
    return images.build(made, place, push=True, report=print)["db-migrate"]


@pytest.fixture
def migrating(cluster: Cluster, base: str) -> Cluster:
    platform = cluster.platform
    cluster.platform = Migrating(platform.root, {**platform.digests, "db-migrate": base}, platform.name)
    password = "only-for-this-test"
    address = f"postgresql://{REAL.database.user}:{password}@postgres.{platform.data}:5432/{REAL.database.name}"
    cluster.client.request("POST", "/api/v1/namespaces", body={"metadata": {"name": platform.data}})
    for namespace, name, key, value in (
        (platform.home, "db-migrate-secrets", "DATABASE_URL", address),
        (platform.data, "postgres-secrets", "POSTGRES_PASSWORD", password),
    ):
        data = {key: base64.b64encode(value.encode()).decode()}
        body: Any = {"metadata": {"name": name}, "data": data}
        cluster.client.request("POST", f"/api/v1/namespaces/{namespace}/secrets", body=body)
    return cluster


def digest_with(testbed: Testbed, engine: DockerClient, base: str, folder: Path, sql: str) -> str:
    """The Job's image with one more migration, pushed."""
    name, tag = f"{testbed.registry}/{REAL.prefix}/db-migrate", folder.parent.name.lower().replace("_", "-")
    migrate_image.add(engine, f"{name}@{base}", REAL.root, folder, f"{name}:{tag}", sql)
    said = engine.images.push(name, tag)
    kinds = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    place = f"http://{testbed.registry}/v2/{REAL.prefix}/db-migrate/manifests/{tag}"
    answer = httpx.head(place, headers={"Accept": kinds})
    assert answer.status_code == 200, said
    return str(answer.headers["Docker-Content-Digest"])


def psql(testbed: Testbed, cluster: Cluster, sql: str) -> str:
    program = (str(testbed.kubectl), f"--kubeconfig={testbed.kubeconfig}", f"--context={testbed.context}", "-n", cluster.platform.data)
    inside = ("exec", "-i", "postgres-0", "-c", "postgres", "--", "psql", "-qtA", "-v", "ON_ERROR_STOP=1")
    argv = (*program, *inside, "-U", REAL.database.user, "-d", REAL.database.name)
    return subprocess.run(argv, input=sql, capture_output=True, text=True, check=True).stdout.strip()


def test_the_job_refuses_what_only_running_shows_and_lets_through_what_text_cannot_tell(
    migrating: Cluster, testbed: Testbed, engine: DockerClient, base: str, tmp_path: Path
) -> None:
    migrating.deploy()
    psql(testbed, migrating, BY_HAND)
    before = psql(testbed, migrating, "SELECT count(*) FROM drizzle.__drizzle_migrations")
    good = migrating.platform.digests

    # What a plan's file has is judged by nobody else: the verb that made it has done so, elsewhere and on what the files make.
    refused = digest_with(testbed, engine, base, tmp_path / "image", "SELECT 1;\nSELECT public.cleanup();")
    migrating.platform.digests, migrating.platform.config = {**good, "db-migrate": refused}, {"GREETING": "bye"}
    plan = from_document(to_document(migrating.plan()))
    with pytest.raises(Failure, match=r"_added\.sql:2: drops a table \(public\.by_hand\) \[drop-table\]"):
        migrating.execute(plan)
    assert migrating.greeting() == "hello"
    assert psql(testbed, migrating, "SELECT to_regclass('by_hand'), count(*) FROM drizzle.__drizzle_migrations") == f"by_hand|{before}"

    wider = digest_with(testbed, engine, base, tmp_path / "image", "ALTER TABLE by_hand ALTER COLUMN a TYPE varchar(20);")
    migrating.platform.digests = {**good, "db-migrate": wider}
    migrating.deploy()
    assert migrating.greeting() == "bye"
    length = "SELECT character_maximum_length FROM information_schema.columns WHERE table_name = 'by_hand'"
    assert psql(testbed, migrating, length) == "20"
