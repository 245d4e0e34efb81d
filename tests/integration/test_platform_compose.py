"""The whole platform under the compose engine, on a real Docker Engine."""

import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from docker import DockerClient

from ops import catalog as catalogue
from ops.cluster import smoke
from ops.local import compose, composecontainers, composefile, state
from ops.local.ports import free_ports


def test_the_whole_platform_comes_up_and_passes_the_checks_that_follow_a_deploy(engine: DockerClient, tmp_path: Path) -> None:
    whole = catalogue.load()
    ports = free_ports(len(whole.services) + len(whole.stores))
    catalog = replace(
        whole,
        platform=f"test-{uuid.uuid4().hex[:8]}",
        services={name: replace(service, local_port=ports.pop()) for name, service in whole.services.items()},
        stores={name: replace(store, local_port=ports.pop()) for name, store in whole.stores.items()},
    )
    home = state.opened(state.State(tmp_path / "of it"))
    said: list[str] = []

    def run(where: str, argv: Sequence[str], stdin: str = "") -> str:
        """Run a program in a container, as the checks do it in a pod."""
        command = ("docker", "exec", "--interactive", f"{composefile.project(catalog, home)}-{where}-1", *argv)
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=60).stdout

    try:
        compose.start(catalog, home)
        assert {what for _, what, _ in composecontainers.rows(catalog, home)} == {"ready", "done"}
        checks = smoke.checks_of(catalog)
        reach = smoke.Reach(f"http://127.0.0.1:{catalog.services[checks.service].local_port}", run)
        assert [wrong for check in checks.functions if (wrong := smoke.one(check, reach, said.append))] == []
        assert len(said) == len(checks.functions) > 9
    finally:
        compose.stop(catalog, home, volumes=True)
    assert not composecontainers.leaves(catalog, home)
