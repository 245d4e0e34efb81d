"""A kind of store is one file: whatever needs to know of it finds it by its name."""

import ast
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml

from ops import catalog, stores
from ops.catalog import Catalog
from ops.config import local as config
from ops.errors import Failure, UsageError
from ops.local import composefile, plan, servers
from ops.local.ports import free_ports
from ops.local.ready import Probe
from ops.local.state import State, opened
from ops.manifests import derived
from ops.secret import Secret
from ops.stores import programs
from ops.testbed import images
from ops.testbed.layout import SOURCES
from ops.verbs import connect

VALKEY = """
import sys
from ops.catalog.model import Resources
from ops.stores.model import Check, ClientProgram, Compose, Embedded, Folder, Ping, Pod, Program, Server, StoreKind
from ops.tools.find import ROOT
from ops.tools.locked import Locked
from ops.tools.table import Spec

def _server(program, wanted, place):
    data = place.data / wanted.name
    data.mkdir(exist_ok=True)
    return Server((str(program), "--port", str(wanted.port)), data, Ping(sends="PING", expects="PONG"), {"THREADS": "2"}, lost="torn")

STORE = StoreKind(
    title="Valkey",
    component="cache",
    url=lambda access: f"valkey://:{access.quoted}@{access.host}:{access.port}/{access.database}",
    check=lambda access: Check(("valkey-cli", "-n", access.database, "$HOME", "ping")),
    settings=lambda access: {"VALKEY_USER": access.user},
    compose=Compose({"user": "7:7"}, lambda access: f"password {access.password}", "/etc/valkey.conf"),
    pod=Pod(user=7, group=8, volume_group=9, storage="3Gi", resources=Resources({"cpu": "1"}, {"memory": "2Gi"}),
            folders=(Folder("tmp", "/tmp", "4Mi", memory=True),), command=lambda store: ("valkey", store.data),
            settings={"HERE": "pod"}, ports={"metrics": 9121}, tries=5), grace=6,
    embedded=Embedded(Program(Locked(ROOT / "none", "Valkey 9", 1), "bin/valkey", Spec("valkey-server", "machine")), _server),
    client=ClientProgram(lambda access: ("valkey-cli", access.user), lambda program, access: (("valkey-cli", str(access.port)), {})),
)
"""


@dataclass(frozen=True)
class OneCluster:
    """A cluster that nobody asks anything."""

    kubectl: Path
    context: str = "of-a-test"
    server: str = "https://x"
    kubeconfig: Path | None = None
    agent: str = ""


@pytest.fixture
def kinds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of store that the checkout does not have: one file."""
    (tmp_path / "kinds").mkdir()
    (tmp_path / "kinds" / "valkey.py").write_text(VALKEY)
    monkeypatch.setattr(stores, "__path__", [*stores.__path__, str(tmp_path / "kinds")])


@pytest.fixture
def loaded(kinds: None) -> Catalog:
    """The catalogue with one entry more, a store of that kind, which a service needs."""
    found = catalog.load()
    store = replace(found.stores["redis"], name="valkey", image="valkey/valkey:9", port=6400, local_port=16400, data="/valkey")
    password = replace(found.variables["REDIS_PASSWORD"], name="VALKEY_PASSWORD", readers=("valkey",))
    url = replace(found.variables["REDIS_URL"], name="VALKEY_URL", readers=("memory-service",))
    memory = found.services["memory-service"]
    return replace(
        found,
        stores={**found.stores, "valkey": store},
        services={**found.services, memory.name: replace(memory, needs=(*memory.needs, "valkey"))},
        variables={**found.variables, password.name: password, url.name: url},
    )


def setting(known: Catalog, addresses: dict[str, config.Address]) -> config.Setting:
    return config.Setting(addresses, {name: Secret(f"{name}/1") for name in config.generated(known)}, {}, "127.0.0.1")


# Kinds that stand ready for the services that will need them, and are in no entry of platform.yaml yet (docs/decisions/stores).
WAITING = {"kafka", "rabbitmq"}


def test_every_store_of_the_catalogue_has_a_file_and_every_file_a_store_or_waits_for_one() -> None:
    used = {store.kind for store in catalog.load().stores.values()}
    assert set(stores.names()) - used == WAITING


def test_a_store_without_a_file_is_named_with_where_it_belongs() -> None:
    with pytest.raises(UsageError, match=r"there is no ops/stores/oracle\.py \(there is kafka, milvus, postgres, rabbitmq, redis\)"):
        stores.kind_of("oracle")


# What is about PostgreSQL itself (docs/decisions/stores).
ABOUT_IT = ("stores/", "database/", "config/sidecar.py", "cluster/schema.py")


def test_no_code_but_that_about_it_names_a_kind_of_store() -> None:
    words, root = re.compile("|".join(stores.names()), re.IGNORECASE), catalog.load().root / "ops"
    found = []
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root).as_posix()
        tree = ast.parse(file.read_text())
        texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # what documents the code, and does nothing
        constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in texts)
        if not name.startswith(ABOUT_IT):
            found += [f"{name}:{node.lineno}: {node.value!r}" for node in constants if words.search(repr(node.value))]
    assert found == []


def test_services_are_given_its_url_in_each_form_of_the_platform(loaded: Catalog) -> None:
    places = (config.on_this_machine(loaded), config.in_containers(loaded), config.in_cluster(loaded))
    urls = [config.environment(loaded, "memory-service", setting(loaded, place))["VALKEY_URL"].reveal() for place in places]
    end = f"/{loaded.database.name}"
    assert urls == [f"valkey://:VALKEY_PASSWORD%2F1@{at}{end}" for at in ("127.0.0.1:16400", "valkey:6400", "valkey.nextai-data:6400")]


def test_it_is_a_container_with_its_own_check_settings_and_file(loaded: Catalog, tmp_path: Path) -> None:
    home = opened(State(tmp_path / "state"))
    images_of = dict.fromkeys(loaded.images, "image")
    composefile.write(loaded, home, images_of, setting(loaded, config.in_containers(loaded)))
    document = composefile.document(loaded, home, images_of)
    made = document["services"]["valkey"]  # type: ignore[index]
    assert (made["image"], made["user"]) == ("valkey/valkey:9", "7:7")
    assert made["healthcheck"]["test"] == ["CMD", "valkey-cli", "-n", loaded.database.name, "$$HOME", "ping"]
    assert [(mount["type"], mount["target"]) for mount in made["volumes"]] == [("volume", "/valkey"), ("bind", "/etc/valkey.conf")]
    assert (composefile.folder(home) / "valkey.conf").read_text() == "password VALKEY_PASSWORD/1"
    variables = (composefile.folder(home) / "valkey.env").read_text().splitlines()
    assert variables == ["VALKEY_PASSWORD=VALKEY_PASSWORD/1", f"VALKEY_USER={loaded.database.user}"]
    assert document["services"]["memory-service"]["depends_on"]["valkey"] == {"condition": "service_healthy"}  # type: ignore[index]


def test_it_is_a_process_of_this_machine(loaded: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "bin" / "valkey-server"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho valkey-server 9.0.1\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{own.parent}:/usr/bin:/bin")
    monkeypatch.setattr(programs, "_is_here", lambda wanted: False)
    monkeypatch.setattr(programs, "_absent", lambda wanted: "there is no wheel")
    home = opened(State(tmp_path / "state"))
    wanted = {one.name: one for one in plan.wanted_stores(loaded, setting(loaded, config.on_this_machine(loaded)))}
    process = servers.process(home, wanted["valkey"])
    assert process.argv == (str(own), "--port", "16400")  # the machine's own, where none is locked
    assert (process.cwd, process.env["THREADS"], process.lost) == (str(home.data / "valkey"), "2", "torn")
    assert process.probe == Probe("tcp", 16400, sends="PING", expects="PONG")


def test_it_is_a_stateful_set_with_its_service_and_budget(loaded: Catalog) -> None:
    found = derived.files(loaded)
    objects = {document["kind"]: document for document in yaml.safe_load_all(found[Path("k8s/base/stores/valkey/derived.yaml")])}
    assert objects.keys() == {"ServiceAccount", "StatefulSet", "Service", "PodDisruptionBudget"}
    made = objects["StatefulSet"]["spec"]
    pod, (claim,) = made["template"]["spec"], made["volumeClaimTemplates"]
    (container,) = pod["containers"]
    assert (container["image"], container["command"]) == ("valkey/valkey:9", ["valkey", "/valkey"])
    assert container["env"] == [
        {"name": "VALKEY_USER", "value": loaded.database.user},
        {"name": "HERE", "value": "pod"},
        {"name": "VALKEY_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "valkey-secrets", "key": "VALKEY_PASSWORD"}}},
    ]
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [("valkey", 6400), ("metrics", 9121)]
    asked = {"command": ["valkey-cli", "-n", loaded.database.name, "$HOME", "ping"]}
    assert all(container[probe]["exec"] == asked for probe in ("startupProbe", "readinessProbe", "livenessProbe"))
    assert container["startupProbe"]["failureThreshold"] == 5
    assert container["resources"] == {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}
    assert [(mount["name"], mount["mountPath"]) for mount in container["volumeMounts"]] == [("data", "/valkey"), ("tmp", "/tmp")]
    assert pod["volumes"] == [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}]
    assert [pod["securityContext"][key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [7, 8, 9]
    assert (pod["terminationGracePeriodSeconds"], claim["spec"]["resources"]["requests"]["storage"]) == (6, "3Gi")
    (kustomization,) = yaml.safe_load_all(found[Path("k8s/base/stores/valkey/kustomization.yaml")])
    assert kustomization["labels"][0]["pairs"]["app.kubernetes.io/component"] == "cache"
    assert "../stores/valkey" in found[Path("k8s/base/derived/kustomization.yaml")]
    assert "egress-to-valkey" in found[Path("k8s/base/derived/policies.yaml")]


@pytest.fixture
def recipe(loaded: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The Dockerfile of its stand-in, among those of the checkout; it is to be written."""
    shutil.copytree(SOURCES / "images", tmp_path / "testbed" / "images")
    made = tmp_path / "testbed" / "images" / "valkey" / "Dockerfile"
    made.parent.mkdir()
    monkeypatch.setattr(images, "SOURCES", tmp_path / "testbed")
    monkeypatch.setattr(catalog, "load", lambda: loaded)
    images.stand_ins.cache_clear()
    yield made
    images.stand_ins.cache_clear()


def test_its_image_has_a_stand_in_on_the_testbed_where_there_is_a_recipe_for_one(recipe: Path, loaded: Catalog) -> None:
    assert "valkey/valkey:9" not in {image.name for image in images.stand_ins()}
    images.stand_ins.cache_clear()
    python = loaded.stacks["python"].bases["PYTHON_IMAGE"]
    recipe.write_text(f"FROM {python} AS wheel\nRUN true\nFROM {images.DEBIAN.name}\n")
    found = images.stand_ins()
    assert images.StandIn("valkey/valkey:9", "valkey", python, served=True) in found
    names = [image.name for image in found]
    assert all(names.index(image.base) < names.index(image.name) for image in found if image.base)


def test_a_recipe_that_begins_with_an_image_of_no_catalogue_is_refused(recipe: Path) -> None:
    recipe.write_text("FROM alpine:3\n")
    with pytest.raises(
        Failure, match=r"valkey/Dockerfile begins with alpine:3, and debian:trixie-slim and platform\.yaml name no such image"
    ):
        images.stand_ins()


def test_its_client_is_run_in_its_pod(loaded: Catalog, tmp_path: Path) -> None:
    (tmp_path / "kubectl").touch()
    cluster = OneCluster(tmp_path / "kubectl")
    client = stores.kind_of("valkey").client
    assert client
    store = loaded.stores["valkey"]
    argv = connect.in_pod(loaded, store, client, cluster, terminal=False)
    assert argv[argv.index("--stdin") :] == (
        *("--stdin", "--namespace=nextai-data", "statefulset/valkey", "--container=valkey"),
        *("--", "valkey-cli", loaded.database.user),
    )
    assert "--tty" in connect.in_pod(loaded, store, client, cluster, terminal=True)


def test_a_store_that_has_no_client_and_one_that_is_none_are_told(loaded: Catalog) -> None:
    with pytest.raises(UsageError, match="Milvus has no client program"):
        connect.connect(loaded, "milvus", "local", testbed=False)
    with pytest.raises(UsageError) as caught:
        connect.connect(loaded, "valky", "local", testbed=False)
    assert caught.value.remedy == "One of: postgres, redis, milvus, valkey (did you mean valkey?)."


def test_a_kind_without_an_embedded_server_is_told_before_anything_is_fetched(kinds: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.stores.valkey.STORE", replace(stores.kind_of("valkey"), embedded=None))
    with pytest.raises(Failure, match="valkey: it has no embedded server"):
        programs.require(["valkey"])


def test_free_ports_are_free_and_none_is_there_twice() -> None:
    ports = free_ports(300)
    assert len(set(ports)) == 300
    assert free_ports(0) == []
