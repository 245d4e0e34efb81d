"""The compose engine: the platform as containers of this machine's Docker Engine, from a document derived from the catalogue."""

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.catalog import Catalog
from ops.command import Command, environment, run
from ops.config import local as config
from ops.console import say
from ops.console.output import stream
from ops.errors import Failure
from ops.local import composefile, facts, plan, state
from ops.local.follow import joined
from ops.local.ports import require_free
from ops.local.process import Identity, identify
from ops.local.state import Entry, Record, State
from ops.secret import Secret
from ops.tools import find

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_PROJECT = "com.docker.compose.project"
_SERVICE = "com.docker.compose.service"
_VOLUME = "com.docker.compose.volume"
_SECONDS_TO_READY = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """A container of the platform as the engine sees it."""

    name: str
    status: str  # running, exited, …
    health: str  # healthy, unhealthy, starting, or nothing where there is no check
    code: int
    port: int


def start(catalog: Catalog, home: State) -> None:
    """Build what the engine lacks, start every container, and return when all are healthy.

    Raises `Failure` with the last log lines of the container that does not come up; then nothing of it runs.
    """
    if not any(seen.status == "running" for seen in look(catalog, home)):
        require_free(plan.ports(catalog), home)
    setting = setting_of(catalog, home)
    _keep_password(catalog, home, setting)
    images = _images(catalog)
    composefile.write(catalog, home, images, setting)
    say("starting the containers")
    state.write(home, Record("compose", identify(os.getpid()), "", {}))
    argv = ("up", "--detach", "--remove-orphans", "--no-build", "--pull", "missing")
    try:
        done = run(_compose(catalog, home, argv, "starting the containers"), check=False, timeout=_SECONDS_TO_READY)
        _await_health(catalog, home, done.stderr if done.code else "")
    except (Failure, KeyboardInterrupt):
        with suppress(Failure):  # an engine that is gone runs nothing; what went wrong first is what is told
            stop(catalog, home, volumes=False)
        raise
    state.write(home, Record("compose", identify(os.getpid()), config.page(catalog), _entries(catalog, home)))


def setting_of(catalog: Catalog, home: State) -> config.Setting:
    """What the services' variables are derived from, with each in a container of its own."""
    secrets = config.kept_secrets(catalog, home.secrets)
    return config.Setting(config.in_containers(catalog), secrets, config.overrides(catalog), "0.0.0.0")  # noqa: S104 (inside the container)


def _keep_password(catalog: Catalog, home: State, setting: config.Setting) -> None:
    """PostgreSQL knows the password that its volume was made with, and no later one. Raises `Failure` where that one is lost.

    What a person gives in .env.local is taken as it is.
    """
    store = catalog.database.store
    password = config.environment(catalog, store, setting).get("POSTGRES_PASSWORD", Secret(""))
    digest = hashlib.sha256(f"{catalog.database.user}:{password.reveal()}".encode()).hexdigest()
    with _client() as client:
        filters: dict[str, str | list[str] | bool] = {"label": [_label(catalog, home), f"{_VOLUME}={store}"]}
        there = bool(client.volumes.list(filters=filters))
    if not there:
        state.write_private(home.password, digest)
    elif "POSTGRES_PASSWORD" not in setting.overrides and not (home.password.exists() and home.password.read_text() == digest):
        raise Failure(
            f"starting {store}",
            f"its volume {composefile.project(catalog, home)}_{store} has a password that is not in {home.secrets} any more",
            f"Write the former one as POSTGRES_PASSWORD into {config.OVERRIDES}, or remove all data: `invoke down --volumes`.",
        )


def _images(catalog: Catalog) -> dict[str, str]:
    """The reference of each image in the engine, built if its key is not there."""
    from ops import images

    engine = images.Engine(registry=catalog.registry)
    made = images.plan(catalog, list(catalog.images), engine, push=False)
    for planned in made.missing:
        say(f"{planned.name}: building the image")
    images.build(made, engine, push=False, report=say)
    return {planned.name: planned.reference for planned in made.images}


def _compose(catalog: Catalog, home: State, arguments: tuple[str, ...], doing: str) -> Command:
    tool = find("compose")
    file = ("--file", str(composefile.place(home))) if composefile.place(home).exists() else ()
    argv = (*tool.argv, "--project-name", composefile.project(catalog, home), *file, "--progress", "quiet", *arguments)
    # A variable of this shell must not change what the document says.
    return Command(
        argv,
        doing,
        {**tool.env, "COMPOSE_FILE": "", "COMPOSE_PROFILES": ""},
        catalog.root,
        remedy="Read the output above; `docker info` may say more.",
    )


@contextmanager
def _client() -> Iterator["DockerClient"]:
    """The engine's API. Raises `Failure` when it stops answering."""
    import docker
    from docker.errors import DockerException
    from requests import RequestException

    host = facts.docker_host()
    try:
        client = docker.DockerClient(base_url=host, timeout=15)
        try:
            yield client
        finally:
            client.close()
    except (DockerException, RequestException) as error:
        cause = f"the Docker Engine at {host} stopped answering ({type(error).__name__})"
        raise Failure("asking the Docker Engine", cause, "Start it again, then run `invoke down` and `invoke up`.") from error


def _label(catalog: Catalog, home: State) -> str:
    """The label of every container and volume of this checkout's platform."""
    return f"{_PROJECT}={composefile.project(catalog, home)}"


def look(catalog: Catalog, home: State) -> list[Seen]:
    """The platform's containers, in the catalogue's order. Empty when no engine answers."""
    if facts.docker().trouble:
        return []
    with _client() as client:
        containers: list[Container] = client.containers.list(all=True, filters={"label": _label(catalog, home)})
        found = {str(container.labels.get(_SERVICE)): container for container in containers}
    ports = plan.ports(catalog)
    order = [*catalog.stores, *catalog.jobs, *catalog.services]
    return [_seen(name, found[name], ports.get(name, 0)) for name in order if name in found]


def _seen(name: str, container: "Container", port: int) -> Seen:
    about = container.attrs["State"]
    health = about.get("Health", {}).get("Status", "")
    return Seen(name, about["Status"], health, int(about.get("ExitCode", 0)), port)


def runs(catalog: Catalog, home: State) -> bool:
    """Whether any of the platform's containers runs."""
    return any(seen.status == "running" for seen in look(catalog, home))


def leaves(catalog: Catalog, home: State) -> bool:
    """Whether the engine holds any container or volume of the platform, running or not."""
    if facts.docker().trouble:
        return False
    with _client() as client:
        mine = {"label": _label(catalog, home)}
        return bool(client.volumes.list(filters={**mine}) or client.containers.list(all=True, filters={**mine}))


def rows(catalog: Catalog, home: State) -> list[tuple[str, str, int]]:
    """Name, state and port of each container."""
    return [(seen.name, _word(seen, seen.name in catalog.jobs), seen.port) for seen in look(catalog, home)]


def _word(seen: Seen, job: bool) -> str:
    if seen.status == "running":
        return {"healthy": "ready", "": "ready"}.get(seen.health, seen.health)
    if seen.status == "created":
        return "waiting"
    return "done" if job and seen.code == 0 else f"ended with exit code {seen.code}"


def _entries(catalog: Catalog, home: State) -> Mapping[str, Entry]:
    nobody = Identity(0, "")
    return {seen.name: Entry(nobody, 0, seen.status, seen.port) for seen in look(catalog, home)}


def _await_health(catalog: Catalog, home: State, trouble: str) -> None:
    """Wait until every container is healthy and every job has ended well; the first that fails is everyone's failure."""
    deadline = time.monotonic() + _SECONDS_TO_READY
    said: set[str] = set()
    while True:
        seen = look(catalog, home)
        words = {one.name: _word(one, one.name in catalog.jobs) for one in seen}
        for name, word in words.items():
            if word in ("ready", "done") and name not in said:
                said.add(name)
                say(f"{name}: {word}")
        broken = [one for one in seen if words[one.name] == "unhealthy" or words[one.name].startswith("ended")]
        if broken:
            raise _broken(catalog, home, broken[0])
        if trouble:
            raise Failure("starting the containers", trouble.strip(), "Everything was stopped again. `docker info` may say more.")
        if len(said) == len(catalog.stores) + len(catalog.images):
            return
        if time.monotonic() > deadline:
            late = ", ".join(name for name in words if name not in said) or "every container"
            raise Failure(
                "starting the containers", f"not ready after {_SECONDS_TO_READY} s: {late}", "Run `docker compose logs` for more."
            )
        time.sleep(0.2)


def lines(catalog: Catalog, home: State, name: str, tail: int, follow: bool = False) -> Iterator[str]:
    """The last `tail` lines that a container wrote, and with `follow` those that come until it ends.

    Raises `Failure` where it has no container, or the engine stops answering.
    """
    with _client() as client:
        found = _containers(client, catalog, home, name)
        if not found:
            raise Failure(f"reading the logs of {name}", "it has no container", "`invoke status --env local` shows what runs.")
        yield from joined(found[0].logs(stream=True, follow=follow, tail=tail))


def _containers(client: "DockerClient", catalog: Catalog, home: State, name: str) -> "list[Container]":
    filters: dict[str, str | list[str] | bool] = {"label": [_label(catalog, home), f"{_SERVICE}={name}"]}
    return client.containers.list(all=True, filters=filters)


def _broken(catalog: Catalog, home: State, seen: Seen) -> Failure:
    with _client() as client:
        container = _containers(client, catalog, home, seen.name)[0]
        lines = container.logs(tail=15).decode("utf-8", "replace").splitlines()
        refused = str(container.attrs["State"].get("Error") or "")  # why the engine could not start it
        checks = container.attrs["State"].get("Health", {}).get("Log") or []
    what = _word(seen, seen.name in catalog.jobs)
    answer = [f"its health check says: {str(checks[-1].get('Output', '')).strip()}"] if checks and what == "unhealthy" else []
    cause = "\n".join(
        [f"{seen.name} {'is ' if what == 'unhealthy' else ''}{what}{f' ({refused})' if refused else ''}; its last lines:", *lines, *answer]
    )
    return Failure(f"starting {seen.name}", cause, "Everything was stopped again.")


def attend(catalog: Catalog, home: State) -> None:
    """Show the logs until the containers end, or Ctrl-C: then everything is stopped."""
    command = _compose(catalog, home, ("logs", "--follow", "--tail", "0"), "following the logs")
    follower = subprocess.Popen(command.argv, env=environment(command), cwd=command.cwd, stdout=stream(), start_new_session=True)
    try:
        follower.wait()
        say("the platform was stopped from elsewhere")
    except KeyboardInterrupt:
        say("stopping …")
        follower.terminate()
        follower.wait()
        stop(catalog, home, volumes=False)


def stop(catalog: Catalog, home: State, *, volumes: bool, forget: bool = True) -> int:
    """Remove the containers and their network, with `volumes` their data too, and return how many there were.

    `forget` the record, unless it is the embedded engine's.
    """
    count = len(look(catalog, home))
    more = ("--volumes",) if volumes else ()
    run(_compose(catalog, home, ("down", "--remove-orphans", "--timeout", "12", *more), "stopping the containers"))
    shutil.rmtree(composefile.folder(home), ignore_errors=True)
    if forget:
        home.record.unlink(missing_ok=True)
    return count
