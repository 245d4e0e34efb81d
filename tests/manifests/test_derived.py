"""What `invoke sync` writes into k8s/: the manifests of a service come from its entry in platform.yaml alone."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.catalog.check import FILES
from ops.kube.objects import text
from ops.kube.order import phase_of
from ops.manifests import derived, problems
from ops.manifests.render import build, render
from ops.verbs import sync

ROOT = Path(__file__).parents[2]
CATALOG = catalogue.load(ROOT)
CLUSTERS = [name for name, environment in CATALOG.environments.items() if environment.overlay]

FIFTH = """\
  reports:
    stack: go
    path: services/reports
    port: 8099
    localPort: 18099
    namespace: nextai-system
    replicas: {production: 3}
    needs: [milvus, user-service]
    ingress: {host: api, path: /reports}
"""
READS = {"MILVUS_HOST": "[memory-service", "MILVUS_PORT": "[memory-service", "USER_SERVICE_URL": "[api-gateway"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but the catalogue, its manifests, and empty files and folders that the catalogue names."""
    shutil.copytree(ROOT / "k8s", tmp_path / "k8s")
    for path in _named(yaml.safe_load((ROOT / "platform.yaml").read_text())):
        if (ROOT / path).is_dir():
            (tmp_path / path).mkdir(parents=True, exist_ok=True)
        else:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
    shutil.copy(ROOT / "platform.yaml", tmp_path)
    sync.write(catalogue.load(tmp_path))
    return tmp_path


def _named(document: Any) -> Iterator[str]:
    for pattern in FILES:
        found = [document]
        for key in pattern.split("."):
            found = [
                value for d in found for value in ((d.values() if isinstance(d, dict) else d) if key == "*" else [d.get(key)]) if value
            ]
        yield from found


def with_fifth(checkout: Path) -> Catalog:
    """The catalogue with one service more: its folder, its entry, and its name at what it reads."""
    file = checkout / "platform.yaml"
    lines = file.read_text().replace("\n# Images that are run to their end", f"{FIFTH}\n# Images that are run to their end").splitlines()
    for n, line in enumerate(lines):
        name = line.strip().partition(":")[0]
        if name in READS and "readers: " in line:
            lines[n] = line.replace(f"readers: {READS[name]}", f"readers: {READS[name]}, reports")
    file.write_text("\n".join(lines) + "\n")
    (checkout / "services/reports").mkdir()
    return catalogue.load(checkout)


def rendered(catalog: Catalog, environment: str) -> list[Any]:
    return [d for d in yaml.safe_load_all(build(catalog.root / str(catalog.environments[environment].overlay))) if d]


def one(objects: list[Any], kind: str, name: str) -> Any:
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].startswith(name)]
    return found


@pytest.mark.parametrize("environment", CLUSTERS)
def test_a_fifth_service_is_an_entry_and_no_line_of_a_manifest(checkout: Path, environment: str) -> None:
    before = {path: path.read_bytes() for path in (checkout / "k8s").rglob("*") if path.is_file()}
    catalog = with_fifth(checkout)
    by_hand = before.keys() - {checkout / path for path in derived.files(catalog)}
    sync.write(catalog)
    objects = rendered(catalog, environment)
    assert problems(catalog, catalog.environments[environment], objects) == []
    digests = dict.fromkeys(catalog.images, "sha256:" + "0" * 64)
    assert set(render(catalog, catalog.environments[environment], digests).digests) == set(catalog.images)
    settings = {"LOG_FORMAT": "json", "MILVUS_HOST": "milvus.nextai-data", "USER_SERVICE_URL": "http://user-service.nextai-system:8082"}
    assert one(objects, "ConfigMap", "reports-config")["data"].items() >= settings.items()
    assert [rule["host"] for rule in one(objects, "Ingress", "nextai")["spec"]["rules"] if "reports" in str(rule)] == [
        catalog.environments[environment].api
    ]
    if environment == "production":
        assert one(objects, "HorizontalPodAutoscaler", "reports")["spec"]["minReplicas"] == 3
    assert all(path.read_bytes() == before[path] for path in by_hand)


def test_derived_files_that_were_edited_or_removed_are_noticed(checkout: Path) -> None:
    catalog = replace(CATALOG, root=checkout)
    assert sync.stale(catalog) == []
    files = sorted(derived.files(CATALOG))
    for path in files:
        text = (checkout / path).read_text()
        (checkout / path).write_text(text.rpartition("\n")[0])  # without its last character
    assert sorted(sync.stale(catalog)) == files
    for path in files:
        (checkout / path).unlink()
    assert sorted(sync.stale(catalog)) == sorted(sync.write(catalog)) == files
    assert sync.stale(catalog) == []


def test_what_is_special_is_a_patch_beside_it(checkout: Path) -> None:
    patch = """\
        # It holds its answers in memory until they are read.
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: user-service, namespace: nextai-system}
        spec: {template: {spec: {terminationGracePeriodSeconds: 90}}}
        """
    (checkout / "k8s/base/user-service/patch.yaml").write_text(patch.replace("        ", ""))
    catalog = replace(CATALOG, root=checkout)
    assert sync.write(catalog) == [Path("k8s/base/user-service/kustomization.yaml")]
    objects = rendered(catalog, "production")
    assert one(objects, "Deployment", "user-service")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 90
    assert one(objects, "Deployment", "web")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 30


def test_a_second_ingress_keeps_its_own_hosts(checkout: Path) -> None:
    """Only the Ingress of k8s/base/ingress gets the environment's hosts."""
    second = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: other, namespace: nextai-monitoring}
spec: {rules: [{host: other.example}]}
"""
    (checkout / "k8s/base/other.yaml").write_text(second)
    base = checkout / "k8s/base/kustomization.yaml"
    base.write_text(base.read_text() + "  - other.yaml\n")
    assert one(rendered(replace(CATALOG, root=checkout), "staging"), "Ingress", "other")["spec"]["rules"] == [{"host": "other.example"}]


JOBS = """\
  sweep:
    stack: node
    path: services/sweep
    namespace: nextai-system
    needs: [milvus]
    schedule: "15 3 * * *"
    timeZone: Europe/Berlin
    deadline: 20m
    resources: {limits: {memory: 768Mi}}
  index:
    stack: python
    path: services/index
    namespace: nextai-system
    needs: [milvus]
"""


def with_jobs(checkout: Path) -> Catalog:
    """The catalogue with a job that has a schedule, and one that runs with a deploy."""
    file = checkout / "platform.yaml"
    written = file.read_text().replace("\njobs:\n", f"\njobs:\n{JOBS}")
    file.write_text(written.replace("readers: [memory-service]", "readers: [memory-service, sweep, index]"))
    for name in ("sweep", "index"):
        (checkout / "services" / name).mkdir()
    return catalogue.load(checkout)


@pytest.mark.parametrize("environment", CLUSTERS)
def test_a_job_is_an_entry_and_no_line_of_a_manifest(checkout: Path, environment: str) -> None:
    catalog = with_jobs(checkout)
    sync.write(catalog)
    found = rendered(catalog, environment)
    assert problems(catalog, catalog.environments[environment], found) == []
    sweep, index = one(found, "CronJob", "sweep"), one(found, "Job", "index")
    spec = sweep["spec"]
    assert (spec["schedule"], spec["timeZone"], spec["concurrencyPolicy"]) == ("15 3 * * *", "Europe/Berlin", "Forbid")
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 1200
    assert index["spec"]["activeDeadlineSeconds"] == 3600
    pod = spec["jobTemplate"]["spec"]["template"]
    assert pod["metadata"]["labels"]["reaches/milvus"] == "true"
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "768Mi"}
    assert container["envFrom"][0]["configMapRef"]["name"] == one(found, "ConfigMap", "sweep-config")["metadata"]["name"]
    assert one(found, "ConfigMap", "sweep-config")["data"] == {"MILVUS_HOST": "milvus.nextai-data", "MILVUS_PORT": "19530"}
    digest = "sha256:" + "1" * 64
    made = render(catalog, catalog.environments[environment], dict.fromkeys(catalog.images, digest))
    jobs = {text(o, "metadata", "name").rpartition("-")[0]: phase_of(o, ()).name for o in made.objects if o["kind"] == "Job"}
    assert jobs == {"db-migrate": "MIGRATION", "index": "JOBS"}
    assert digest in str(one(list(made.objects), "CronJob", "sweep"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (
            {"schedule": "15 4 * * *"},
            "k8s/base/sweep/derived.yaml: CronJob sweep has the schedule 15 4 * * *; platform.yaml says 15 3 * * *",
        ),
        ({"timeZone": "Etc/UTC"}, "CronJob sweep has the timeZone Etc/UTC; platform.yaml says Europe/Berlin"),
        ({"suspend": True}, "CronJob sweep is suspended"),
    ],
)
def test_a_schedule_by_hand_that_is_not_the_catalogues_is_noticed(checkout: Path, changed: dict[str, object], told: str) -> None:
    catalog = with_jobs(checkout)
    sync.write(catalog)
    patch = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "sweep", "namespace": "nextai-system"}, "spec": changed}
    (checkout / "k8s/base/sweep/patch.yaml").write_text(yaml.safe_dump(patch))
    sync.write(catalog)
    (said,) = problems(catalog, catalog.environments["staging"], rendered(catalog, "staging"))
    assert told in said
