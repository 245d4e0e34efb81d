"""A job of the compose engine on a real Docker Engine: run beside the platform, by its verb alone."""

import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from docker import DockerClient

from ops import catalog as catalogue
from ops.catalog import Catalog, Job, Variable
from ops.local import compose, composecontainers, composefile, state
from ops.local.ports import free_ports
from ops.testbed import Testbed


def with_job(code: int, platform: str, ports: list[int]) -> Catalog:
    """The catalogue's PostgreSQL and Redis, and a job that ends with a code."""
    whole = catalogue.load()
    stack = whole.stacks["go"]
    sweep = Job("sweep", stack, "x", stack.dockerfile, whole.namespaces[0], needs=("redis",), schedule="0 3 * * *")
    variables = {**whole.variables, "EXIT_CODE": Variable("EXIT_CODE", "The code", ("sweep",), "int", local=str(code))}
    stores = {name: replace(whole.stores[name], local_port=port) for name, port in zip(("postgres", "redis"), ports, strict=True)}
    return replace(whole, platform=platform, stores=stores, services={}, jobs={"sweep": sweep}, variables=variables)


def test_a_job_runs_to_its_end_beside_the_platform_and_leaves_no_container(
    testbed: Testbed, digests: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", testbed.docker_host)
    monkeypatch.setenv("DOCKER_CONFIG", str(testbed.docker_config))
    reference = f"{testbed.registry}/nextai/ct-web@{digests['one']}"
    engine = DockerClient(base_url=testbed.docker_host)
    engine.images.pull(reference)
    monkeypatch.setattr(compose, "_images", lambda _, names: dict.fromkeys(names, reference))
    name, ports = f"test-{uuid.uuid4().hex[:8]}", free_ports(2)
    home = state.opened(state.State(tmp_path / "of it"))
    catalog = with_job(7, name, ports)
    try:
        compose.start(catalog, home)
        assert [row[0] for row in composecontainers.rows(catalog, home)] == ["postgres", "redis"]  # `up` starts no such job
        capfd.readouterr()
        assert compose.run_job(catalog, home, catalog.jobs["sweep"]) == 7
        assert "told to end with 7" in capfd.readouterr().out
        good = with_job(0, name, ports)
        assert compose.run_job(good, home, good.jobs["sweep"]) == 0
        assert engine.containers.list(all=True, filters={"name": f"{composefile.project(catalog, home)}-sweep"}) == []
        assert [row[:2] for row in composecontainers.rows(catalog, home)] == [("postgres", "ready"), ("redis", "ready")]
    finally:
        compose.stop(catalog, home, volumes=True)
    assert not composecontainers.leaves(catalog, home)
