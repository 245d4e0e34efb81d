"""The kinds that wait for their users, with an entry each as the catalogue will have it: what the forms of the platform are given."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ops import catalog, stores
from ops.catalog import Catalog
from ops.catalog.model import Contents, Store
from ops.config import local as config
from ops.local import composefile
from ops.local.state import State, opened
from ops.manifests import derived
from ops.secret import Secret

ENTRIES = {
    "rabbitmq": Store("rabbitmq", "rabbitmq:4.3", 5672, 15672, "nextai-mq", "/var/lib/rabbitmq", contents=Contents(queues=("deliveries",))),
    "kafka": Store(
        "kafka", "apache/kafka:4.3.1", 9092, 19092, "nextai-mq", "/var/lib/kafka/data", contents=Contents(topics=("usage", "runs"))
    ),
}


@pytest.fixture
def known() -> Catalog:
    """The catalogue with the waiting kinds, which memory-service needs."""
    found = catalog.load()
    memory = found.services["memory-service"]
    services = {**found.services, memory.name: replace(memory, needs=(*memory.needs, *ENTRIES))}
    password = replace(found.variables["REDIS_PASSWORD"], name="RABBITMQ_PASSWORD", readers=("rabbitmq",))
    variables = {**found.variables, password.name: password}
    return replace(found, stores={**found.stores, **ENTRIES}, services=services, variables=variables)


def setting(known: Catalog, addresses: dict[str, config.Address]) -> config.Setting:
    return config.Setting(addresses, {name: Secret(f"{name}/1") for name in config.generated(known)}, {}, "127.0.0.1")


def composed(known: Catalog, folder: Path, name: str) -> tuple[dict[str, object], dict[str, str]]:
    """A store's container, and its variables."""
    home = opened(State(folder))
    images = dict.fromkeys(known.images, "image")
    composefile.write(known, home, images, setting(known, config.in_containers(known)))
    document = composefile.document(known, home, images)
    lines = (composefile.folder(home) / f"{name}.env").read_text().splitlines()
    return document["services"][name], dict(line.split("=", 1) for line in lines)  # type: ignore[index]


def pod(known: Catalog, name: str) -> dict[str, object]:
    found = derived.files(known)[Path(f"k8s/base/stores/{name}/derived.yaml")]
    (made,) = [document for document in yaml.safe_load_all(found) if document["kind"] == "StatefulSet"]
    (container,) = made["spec"]["template"]["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (
            config.on_this_machine,
            {"KAFKA_BROKERS": "127.0.0.1:19092", "RABBITMQ_URL": "amqp://nextai:RABBITMQ_PASSWORD%2F1@127.0.0.1:15672"},
        ),
        (config.in_containers, {"KAFKA_BROKERS": "kafka:9092", "RABBITMQ_URL": "amqp://nextai:RABBITMQ_PASSWORD%2F1@rabbitmq:5672"}),
        (
            config.in_cluster,
            {"KAFKA_BROKERS": "kafka.nextai-mq:9092", "RABBITMQ_URL": "amqp://nextai:RABBITMQ_PASSWORD%2F1@rabbitmq.nextai-mq:5672"},
        ),
    ],
)
def test_their_users_are_given_the_guides_variables(known: Catalog, where: object, expected: dict[str, str]) -> None:
    found = config.derived(known, setting(known, where(known)))  # type: ignore[operator]
    assert {name: found[name].reveal() for name in expected} == expected


def test_kafka_tells_each_client_where_to_go_on(known: Catalog, tmp_path: Path) -> None:
    container, variables = composed(known, tmp_path / "state", "kafka")
    assert container["ports"] == [{"host_ip": "127.0.0.1", "published": "19092", "target": 19092, "protocol": "tcp"}]
    told = "LOCAL://127.0.0.1:9094,INSIDE://kafka:9092,OUTSIDE://localhost:19092"
    assert variables["KAFKA_ADVERTISED_LISTENERS"] == told
    assert variables["KAFKA_LISTENERS"] == "LOCAL://127.0.0.1:9094,INSIDE://:9092,OUTSIDE://:19092,CONTROLLER://127.0.0.1:9093"
    in_cluster = {entry["name"]: entry["value"] for entry in pod(known, "kafka")["env"]}  # type: ignore[attr-defined]
    assert in_cluster["KAFKA_ADVERTISED_LISTENERS"] == "LOCAL://127.0.0.1:9094,INSIDE://kafka.nextai-mq:9092"
    assert (variables["KAFKA_TOPICS"], in_cluster["KAFKA_TOPICS"]) == ("usage runs", "usage runs")


@pytest.mark.parametrize(
    ("name", "words"), [("kafka", "auto.create.topics.enable=false"), ("rabbitmq", '{"name": "deliveries", "vhost": "/", "durable": true')]
)
def test_what_a_container_runs_is_one_script_that_compose_fills_nothing_into(known: Catalog, tmp_path: Path, name: str, words: str) -> None:
    container, _ = composed(known, tmp_path / "state", name)
    command = container["command"]
    assert isinstance(command, list)
    assert [part.replace("$$", "$") for part in command] == pod(known, name)["command"]
    assert "$" not in command[-1].replace("$$", "")
    assert subprocess.run(("bash", "-n", "-c", command[-1].replace("$$", "$")), check=False).returncode == 0
    assert words in command[-1]


def test_the_entries_fit_their_kinds(known: Catalog) -> None:
    assert {stores.of(store).component for store in ENTRIES.values()} == {"message-log", "message-queue"}
    assert all(
        (found.root / "infra/testbed/images" / store.kind / "Dockerfile").exists() for found in [known] for store in ENTRIES.values()
    )


@pytest.mark.parametrize("password", ["plain", "a\"b\\c $HOME `id` 'd' /@%"])
def test_the_definitions_of_rabbitmq_have_the_password_as_it_is(known: Catalog, tmp_path: Path, password: str) -> None:
    """Its script with folders of this test, and a server that does nothing: whatever the password has, the definitions are JSON."""
    (tmp_path / "rabbitmq-server").write_text("#!/bin/sh\n")
    (tmp_path / "rabbitmq-server").chmod(0o755)
    script = pod(known, "rabbitmq")["command"][-1].replace("/run/rabbitmq", str(tmp_path))  # type: ignore[index]
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "RABBITMQ_USER": "nextai", "RABBITMQ_PASSWORD": password}
    subprocess.run(("bash", "-ec", script), env=env, check=True)
    found = json.loads((tmp_path / "definitions.json").read_text())
    assert found["users"] == [{"name": "nextai", "password": password, "tags": [], "limits": {}}]
    assert [queue["arguments"] for queue in found["queues"]] == [{"x-queue-type": "quorum"}]
    assert (tmp_path / "definitions.json").stat().st_mode & 0o077 == 0
