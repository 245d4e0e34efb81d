"""The compose engine against an engine made up: whose containers and volumes are whose, and a password that was lost."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.command import Command, Completed
from ops.errors import Failure
from ops.local import compose, facts, state
from ops.local.state import State
from ops.secret import Secret

PROJECT, SERVICE, VOLUME = "com.docker.compose.project", "com.docker.compose.service", "com.docker.compose.volume"


@dataclass
class Engine:
    """A Docker Engine with its compose plugin, as far as the platform asks it: what there is, by its labels."""

    jobs: frozenset[str]
    found: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {"containers": [], "volumes": []})

    def run(self, command: Command, **_: object) -> Completed:
        project = command.argv[command.argv.index("--project-name") + 1]
        if "up" in command.argv:
            document = json.loads(Path(command.argv[command.argv.index("--file") + 1]).read_text())
            self._add("containers", [{PROJECT: project, SERVICE: name} for name in document["services"]])
            self._add("volumes", [{PROJECT: project, VOLUME: name} for name in document["volumes"]])
        if "down" in command.argv:
            for kind in ("containers", "volumes") if "--volumes" in command.argv else ("containers",):
                self.found[kind] = [labels for labels in self.found[kind] if labels[PROJECT] != project]
        return Completed(0, "", "")

    def _add(self, kind: str, new: list[dict[str, str]]) -> None:
        self.found[kind] += [labels for labels in new if labels not in self.found[kind]]

    def listed(self, kind: str, filters: Mapping[str, Any]) -> list[SimpleNamespace]:
        wanted = [filters["label"]] if isinstance(filters["label"], str) else filters["label"]
        mine = [labels for labels in self.found[kind] if {f"{key}={value}" for key, value in labels.items()} >= set(wanted)]
        return [SimpleNamespace(labels=labels, attrs={"State": self._state(labels.get(SERVICE, ""))}) for labels in mine]

    def _state(self, name: str) -> dict[str, object]:
        done = name in self.jobs
        return {"Status": "exited" if done else "running", "Health": {"Status": "" if done else "healthy"}, "ExitCode": 0}

    @contextlib.contextmanager
    def client(self) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            containers=SimpleNamespace(list=lambda all, filters: self.listed("containers", filters)),
            volumes=SimpleNamespace(list=lambda filters: self.listed("volumes", filters)),
        )

    def require_free(self, *_: object) -> None:
        if self.found["containers"]:
            raise Failure("taking the platform's ports", "they are taken", "")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalogue.load()


@pytest.fixture
def engine(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(frozenset(catalog.jobs))
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer("1"))
    monkeypatch.setattr(compose, "find", lambda _: SimpleNamespace(argv=("docker", "compose"), env={}))
    monkeypatch.setattr(compose, "_images", lambda _: {name: f"{name}:key" for name in catalog.images})
    monkeypatch.setattr(compose, "run", made.run)
    monkeypatch.setattr(compose, "_client", made.client)
    monkeypatch.setattr(compose, "require_free", made.require_free)
    return made


def checkout(folder: Path) -> State:
    return state.opened(State(folder))


def test_checkouts_share_no_container_and_no_volume(catalog: Catalog, engine: Engine, tmp_path: Path) -> None:
    one, two = checkout(tmp_path / "one"), checkout(tmp_path / "two")
    compose.start(catalog, one)
    with pytest.raises(Failure, match="they are taken"):
        compose.start(catalog, two)
    assert compose.stop(catalog, two, volumes=True) == 0
    assert compose.stop(catalog, one, volumes=False) == len(catalog.stores) + len(catalog.images)
    compose.start(catalog, two)
    assert len(engine.found["volumes"]) == 2 * len(catalog.stores)
    compose.stop(catalog, two, volumes=True)
    assert len(engine.found["volumes"]) == len(catalog.stores)
    compose.start(catalog, one)


@pytest.mark.parametrize("lost", ["the secrets", "the state folder"])
def test_a_volume_whose_password_is_lost_is_told_with_the_remedy(catalog: Catalog, engine: Engine, tmp_path: Path, lost: str) -> None:
    home = checkout(tmp_path / "state")
    compose.start(catalog, home)
    compose.stop(catalog, home, volumes=False)
    if lost == "the secrets":
        home.secrets.unlink()
    else:
        shutil.rmtree(home.folder)
        checkout(home.folder)
    for _ in range(2):  # and not only as long as no new secret was made
        with pytest.raises(Failure, match="password") as caught:
            compose.start(catalog, home)
        assert "invoke down --volumes" in caught.value.remedy
        assert "POSTGRES_PASSWORD" in caught.value.remedy
    assert not engine.found["containers"]
    compose.stop(catalog, home, volumes=True)
    compose.start(catalog, home)


def test_a_password_that_a_person_gives_is_taken(catalog: Catalog, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = checkout(tmp_path / "state")
    compose.start(catalog, home)
    compose.stop(catalog, home, volumes=False)
    home.secrets.unlink()
    with pytest.raises(Failure, match="password"):
        compose.start(catalog, home)
    monkeypatch.setattr(compose.config, "overrides", lambda _: {"POSTGRES_PASSWORD": Secret("the former one")})
    compose.start(catalog, home)
    assert engine.found["containers"]
