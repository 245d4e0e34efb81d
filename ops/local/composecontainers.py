"""The platform's containers, as the Docker Engine has them: which there are, how they are, what they wrote. Nothing here changes one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops.catalog import Catalog
from ops.engine import connection
from ops.errors import Failure
from ops.local import composefile, facts, plan
from ops.local.follow import joined
from ops.local.state import State

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
_TAIL = 25  # lines: what an image says of older data has 21


@dataclass(frozen=True, slots=True)
class Seen:
    """A container of the platform as the engine sees it."""

    name: str
    status: str  # running, exited, …
    health: str  # healthy, unhealthy, starting, or nothing where there is no check
    code: int
    port: int


def look(catalog: Catalog, home: State) -> list[Seen]:
    """The platform's containers, in the catalogue's order. Empty when no engine answers."""
    return [] if facts.docker().trouble else _listed(catalog, home)


def rows(catalog: Catalog, home: State) -> list[tuple[str, str, int]]:
    """Name, state and port of each container that the catalogue has."""
    seen = [one for one in look(catalog, home) if one.name != composefile.scratch(catalog)]
    return [(one.name, word(one, one.name in catalog.jobs), one.port) for one in seen]


def runs(catalog: Catalog, home: State) -> bool:
    """Whether any of the platform's containers runs."""
    return any(seen.status == "running" for seen in look(catalog, home))


def leaves(catalog: Catalog, home: State) -> bool:
    """Whether the engine holds any container or volume of the platform, running or not."""
    if facts.docker().trouble:
        return False
    with client() as engine:
        mine = {"label": label(catalog, home)}
        return bool(engine.volumes.list(filters={**mine}) or engine.containers.list(all=True, ignore_removed=True, filters={**mine}))


def lines(catalog: Catalog, home: State, name: str, tail: int, follow: bool = False) -> Iterator[str]:
    """The last `tail` lines that a container wrote, and with `follow` those that come until it ends.

    Raises `Failure` where it has no container, or the engine stops answering.
    """
    with client() as engine:
        found = of(engine, catalog, home, name)
        if not found:
            raise Failure(f"reading the logs of {name}", "it has no container", "`invoke status --env local` shows what runs.")
        yield from joined(found[0].logs(stream=True, follow=follow, tail=tail))


def told(catalog: Catalog, home: State, seen: Seen) -> str:
    """The state of a container that failed, the engine's reason, its last lines, and the last answer of its health check."""
    ended = seen.status != "running"
    what = f"{seen.name} {'' if ended else 'is '}{word(seen, seen.name in catalog.jobs)}"
    with client() as engine:
        found = of(engine, catalog, home, seen.name)
        if not found:
            return f"{what}, and was removed since"
        lines = found[0].logs(tail=_TAIL).decode("utf-8", "replace").splitlines()
        about = found[0].attrs["State"]
    refused = str(about.get("Error") or "")
    checks = about.get("Health", {}).get("Log") or []
    answer = [f"its health check says: {str(checks[-1].get('Output', '')).strip()}"] if checks and not ended else []
    return "\n".join([f"{what}{f' ({refused})' if refused else ''}; its last lines:", *lines, *answer])


def word(seen: Seen, job: bool) -> str:
    """The state of a container in one word, or with its exit code. A `job` is done when it has ended with 0."""
    if seen.status == "running" and job:
        return "running"
    if seen.status == "running":
        return {"healthy": "ready", "": "ready"}.get(seen.health, seen.health)
    if seen.status == "created":
        return "waiting"
    return "done" if job and seen.code == 0 else f"ended with exit code {seen.code}"


@contextmanager
def client() -> Iterator["DockerClient"]:
    """The engine's API. Raises `Failure` when it stops answering, or answers with an error."""
    import docker
    from docker.errors import APIError, DockerException
    from requests import RequestException

    found = connection()
    host = found["base_url"]
    try:
        client = docker.DockerClient(**found, timeout=15)
        try:
            yield client
        finally:
            client.close()
    except APIError as error:
        cause = f"the Docker Engine at {host} answers: {error.explanation or error}"
        raise Failure("asking the Docker Engine", cause, "Run it again; `docker info` and the engine's own log may say more.") from error
    except (DockerException, RequestException) as error:
        cause = f"the Docker Engine at {host} stopped answering ({type(error).__name__})"
        raise Failure("asking the Docker Engine", cause, "Start it again, then run `invoke down` and `invoke up`.") from error


def of(engine: "DockerClient", catalog: Catalog, home: State, name: str) -> "list[Container]":
    """The container of a service, store or job, if there is one."""
    filters: dict[str, str | list[str] | bool] = {"label": [label(catalog, home), f"{SERVICE}={name}"]}
    return engine.containers.list(all=True, ignore_removed=True, filters=filters)


def has_image(engine: "DockerClient", image: str) -> bool:
    """Whether the engine has an image."""
    from docker.errors import ImageNotFound

    try:
        engine.images.get(image)
    except ImageNotFound:
        return False
    return True


def label(catalog: Catalog, home: State) -> str:
    """The label of every container and volume of this checkout's platform."""
    return f"{PROJECT}={composefile.project(catalog, home)}"


def _listed(catalog: Catalog, home: State) -> list[Seen]:
    with client() as engine:
        # A container that is removed while they are listed counts as removed.
        containers = engine.containers.list(all=True, ignore_removed=True, filters={"label": label(catalog, home)})
        found = {str(container.labels.get(SERVICE)): container for container in containers}
    ports = plan.ports(catalog)
    order = [*catalog.stores, composefile.scratch(catalog), *catalog.jobs, *catalog.services]
    return [_seen(name, found[name], ports.get(name, 0)) for name in order if name in found]


def _seen(name: str, container: "Container", port: int) -> Seen:
    about = container.attrs["State"]
    health = about.get("Health", {}).get("Status", "")
    return Seen(name, about["Status"], health, int(about.get("ExitCode", 0)), port)
