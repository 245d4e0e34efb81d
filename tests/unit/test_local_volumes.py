"""The compose engine against an engine made up: whose containers and volumes are whose, what is pulled, and what is told."""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import ImageNotFound

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.command import Command, Completed
from ops.config import local as config
from ops.console.output import stream
from ops.errors import Failure
from ops.local import compose, composecontainers, facts, state
from ops.local.state import State
from ops.secret import Secret

PROJECT, SERVICE, VOLUME = "com.docker.compose.project", "com.docker.compose.service", "com.docker.compose.volume"


@dataclass
class Engine:
    """A Docker Engine with its compose plugin, as far as the platform asks it: what there is, by its labels."""

    jobs: frozenset[str]
    found: dict[str, list[dict[str, str]]] = field(default_factory=lambda: {"containers": [], "volumes": []})
    images: set[str] = field(default_factory=set)
    ran: list[tuple[tuple[str, ...], dict[str, object]]] = field(default_factory=list)  # commands, and how they were run
    stopped: list[str] = field(default_factory=list)  # containers, one by one
    health: str = "healthy"
    trouble: Failure | None = None
    after_up: Callable[[], object] = lambda: None
    before_down: Callable[[], object] = lambda: None

    def run(self, command: Command, **how: object) -> Completed:
        project = command.argv[command.argv.index("--project-name") + 1]
        self.ran.append((command.argv[command.argv.index("--progress") + 1 :], how))
        if "pull" in command.argv:
            self.images |= set(command.argv[command.argv.index("missing") + 1 :])
        if "up" in command.argv:
            document = json.loads(Path(command.argv[command.argv.index("--file") + 1]).read_text())
            self._add("containers", [{PROJECT: project, SERVICE: name} for name in document["services"]])
            self._add("volumes", [{PROJECT: project, VOLUME: name} for name in document["volumes"]])
            self.after_up()
        if "down" in command.argv:
            self.before_down()
            for kind in ("containers", "volumes") if "--volumes" in command.argv else ("containers",):
                self.found[kind] = [labels for labels in self.found[kind] if labels[PROJECT] != project]
        return Completed(0, "", "")

    def _add(self, kind: str, new: list[dict[str, str]]) -> None:
        self.found[kind] += [labels for labels in new if labels not in self.found[kind]]

    def listed(self, kind: str, filters: Mapping[str, Any]) -> list[SimpleNamespace]:
        wanted = [filters["label"]] if isinstance(filters["label"], str) else filters["label"]
        mine = [labels for labels in self.found[kind] if {f"{key}={value}" for key, value in labels.items()} >= set(wanted)]
        return [
            SimpleNamespace(
                labels=labels,
                attrs={"State": self._state(labels.get(SERVICE, ""))},
                logs=lambda tail: b"its last words\n",
                stop=partial(self._stop, labels.get(SERVICE, "")),
            )
            for labels in mine
        ]

    def _stop(self, name: str, timeout: int) -> None:
        self.stopped.append(name)

    def _state(self, name: str) -> dict[str, object]:
        done = name in self.jobs
        return {"Status": "exited" if done else "running", "Health": {"Status": "" if done else self.health}, "ExitCode": 0}

    @contextlib.contextmanager
    def client(self) -> Iterator[SimpleNamespace]:
        if self.trouble:
            raise self.trouble
        yield SimpleNamespace(
            containers=SimpleNamespace(list=lambda all, ignore_removed, filters: self.listed("containers", filters)),
            volumes=SimpleNamespace(list=lambda filters: self.listed("volumes", filters)),
            images=SimpleNamespace(get=self.image),
        )

    def image(self, reference: str) -> None:
        if reference.partition(":")[0].rpartition("/")[2] not in self.images:
            raise ImageNotFound(reference)

    def require_free(self, *_: object) -> None:
        if self.found["containers"]:
            raise Failure("taking the platform's ports", "they are taken", "")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return catalogue.load()


@pytest.fixture
def engine(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(frozenset(catalog.jobs))
    monkeypatch.setattr(compose, "_SECONDS_TO_READY", 10)  # what waits for ever shall not keep the tests waiting
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer(trouble=made.trouble.cause) if made.trouble else facts.Answer("1"))
    monkeypatch.setattr(compose, "find", lambda _: SimpleNamespace(argv=("docker", "compose"), env={}))
    monkeypatch.setattr(compose, "_images", lambda *_: {name: f"{name}:key" for name in catalog.images})
    monkeypatch.setattr(compose, "run", made.run)
    monkeypatch.setattr(compose, "Children", lambda: made)
    monkeypatch.setattr(composecontainers, "client", made.client)
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
    everything = len(catalog.stores) + len(catalog.images) + 1  # the scratch server
    assert compose.stop(catalog, one, volumes=False) == everything
    compose.start(catalog, two)
    assert len(engine.found["volumes"]) == 2 * len(catalog.stores)
    compose.stop(catalog, two, volumes=True)
    assert len(engine.found["volumes"]) == len(catalog.stores)
    compose.start(catalog, one)


def test_where_the_migrations_were_tried_ends_when_the_platform_is_up(catalog: Catalog, engine: Engine, tmp_path: Path) -> None:
    compose.start(catalog, state.opened(State(tmp_path / "of it")))
    assert engine.stopped == ["db-migrate-scratch"]


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
    monkeypatch.setattr(config, "overrides", lambda _: {"POSTGRES_PASSWORD": Secret("the former one")})
    compose.start(catalog, home)
    assert engine.found["containers"]


def test_the_stores_images_are_pulled_first_and_as_long_as_it_takes(
    catalog: Catalog, engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = checkout(tmp_path / "state")
    engine.images = {"redis"}
    compose.start(catalog, home)
    lacking = [name for name in catalog.stores if name != "redis"]
    (pull, how), (up, _) = engine.ran
    assert pull == ("auto", "pull", "--policy", "missing", *lacking)
    assert how == {"show": stream()}  # and no timeout
    assert up[:2] == ("quiet", "up")
    assert up[-2:] == ("--pull", "never")
    assert f"pulling {', '.join(catalog.stores[name].image for name in lacking)}\n" in capsys.readouterr().out
    compose.stop(catalog, home, volumes=False)
    engine.ran.clear()
    compose.start(catalog, home)
    assert [argv[1] for argv, _ in engine.ran] == ["up"]


def test_an_engine_that_goes_away_while_the_containers_start_is_told_at_once(catalog: Catalog, engine: Engine, tmp_path: Path) -> None:
    gone = Failure("asking the Docker Engine", "it stopped answering", "")
    engine.after_up = lambda: setattr(engine, "trouble", gone)
    with pytest.raises(Failure) as caught:
        compose.start(catalog, checkout(tmp_path / "state"))
    assert caught.value.__cause__ is gone
    assert caught.value.cause == gone.cause


@pytest.mark.parametrize("stops", [True, False])
def test_what_is_said_of_stopping_after_a_failed_start_is_so(catalog: Catalog, engine: Engine, tmp_path: Path, stops: bool) -> None:
    def refuse() -> None:
        raise Failure("stopping the containers", "`docker` exited 1", "")

    engine.health = "unhealthy"
    engine.before_down = engine.before_down if stops else refuse
    home = checkout(tmp_path / "state")
    with pytest.raises(Failure, match="postgres is unhealthy") as caught:
        compose.start(catalog, home)
    assert ("Everything was stopped again." in caught.value.remedy) is stops
    assert ("`invoke down` ends the rest" in caught.value.remedy) is not stops
    assert "Correct what the lines above say" in caught.value.remedy
    assert home.record.exists() is not stops


def test_who_stops_the_containers_is_written_down_before_the_first_is_gone(catalog: Catalog, engine: Engine, tmp_path: Path) -> None:
    home = checkout(tmp_path / "state")
    said: list[str] = []

    def note() -> None:
        record = state.read(home)
        said.append(record.doing if record else "")

    engine.after_up = engine.before_down = note
    compose.start(catalog, home)
    note()
    compose.stop(catalog, home, volumes=False)
    assert said == [f"being started by process {os.getpid()}", "", f"being stopped by process {os.getpid()}"]


@pytest.mark.parametrize("left", [0, 3])
def test_containers_that_somebody_removes_while_they_start_are_told_at_once(
    catalog: Catalog, engine: Engine, tmp_path: Path, left: int
) -> None:
    def remove() -> None:
        del engine.found["containers"][left:]

    engine.after_up = remove
    with pytest.raises(Failure, match="was removed while it was starting") as caught:
        compose.start(catalog, checkout(tmp_path / "state"))
    assert ("postgres" in caught.value.cause) == (left == 0)
    assert "web" in caught.value.cause


@pytest.mark.parametrize("within_up", [True, False])
def test_a_container_that_is_not_ready_in_time_is_told_with_its_last_lines(
    catalog: Catalog, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within_up: bool
) -> None:
    """Compose itself waits for what others need, or we wait for the rest."""

    def slow() -> None:
        if within_up:
            began = time.monotonic()
            while time.monotonic() < began + 0.3:
                time.sleep(0.05)
            raise Failure("starting the containers", "`docker` gave no answer within 0.2 s", "")

    monkeypatch.setattr(compose, "_SECONDS_TO_READY", 0.2)
    engine.health, engine.after_up = "starting", slow
    with pytest.raises(Failure) as caught:
        compose.start(catalog, checkout(tmp_path / "state"))
    first, second, *lines = caught.value.cause.splitlines()
    assert first.startswith("not ready after 0.2 s: postgres, redis, ")
    assert second == "postgres is starting; its last lines:"
    assert lines == ["its last words"]
    assert "docker compose logs" not in caught.value.remedy
    assert not engine.found["containers"]


def test_a_broken_container_that_is_removed_before_its_words_are_read_is_told(catalog: Catalog, engine: Engine, tmp_path: Path) -> None:
    home = checkout(tmp_path / "state")
    assert composecontainers.told(catalog, home, composecontainers.Seen("redis", "exited", "", 137, 1)) == (
        "redis ended with exit code 137, and was removed since"
    )


def test_another_checkout_is_named_from_its_first_moment(catalog: Catalog, engine: Engine, tmp_path: Path) -> None:
    one, two = checkout(tmp_path / "one"), checkout(tmp_path / "two")
    state.keep_checkout(one, Path("/home/me/one"))
    found: list[str] = []
    engine.after_up = lambda: found.append(state.owner(two, 0, catalog.stores["redis"].local_port))
    compose.start(catalog, one)
    found += [state.owner(two, 0, catalog.services["web"].local_port), state.owner(two, 0, 1)]
    compose.stop(catalog, one, volumes=False)
    found.append(state.owner(two, 0, catalog.services["web"].local_port))
    assert found == ["/home/me/one", "/home/me/one", "", ""]
