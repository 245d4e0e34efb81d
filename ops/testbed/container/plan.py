"""The steps that bring the testbed's container up or down, from the facts about it. Pure functions."""

from typing import Literal

from ops.errors import Refused
from ops.testbed.container.facts import ContainerFacts

Step = Literal["build", "stop", "remove", "create", "copy", "start", "remove volumes", "remove images"]


def steps(found: ContainerFacts, tag: str, key: str) -> tuple[Step, ...]:
    """The steps to a running container with the current sources.

    Raises `Refused` where a container or volume of the same name is not this checkout's.
    """
    _refuse_others(found)
    container = found.container
    if container is not None and (container.key, container.image) == (key, tag):
        return ("copy",) if container.running else ("copy", "start")
    afresh: tuple[Step, ...] = ("build", "create", "copy", "start")
    return (*_gone(found), *afresh)


def removal(found: ContainerFacts, *, wipe: bool) -> tuple[Step, ...]:
    """The steps that stop and remove the container, with `wipe` also its volumes and images.

    Raises `Refused` where they are not this checkout's; then nothing is removed.
    """
    if not wipe:
        if found.container is not None:
            _refuse_others(found)
        return _gone(found)
    _refuse_others(found)
    volumes: tuple[Step, ...] = ("remove volumes",) if found.volumes else ()
    images: tuple[Step, ...] = ("remove images",) if found.images else ()
    return (*_gone(found), *volumes, *images)


def _gone(found: ContainerFacts) -> tuple[Step, ...]:
    if found.container is None:
        return ()
    return ("stop", "remove") if found.container.running else ("remove",)


def _refuse_others(found: ContainerFacts) -> None:
    if found.foreign:
        remedy = "Choose another port, which gives the testbed another name: NEXTAI_TESTBED_PORT."
        raise Refused("looking for the testbed's container", f"{found.foreign[0]}: it is not this checkout's", remedy)
