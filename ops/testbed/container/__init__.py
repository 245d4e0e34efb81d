"""The provider for any machine with a Docker engine: the native testbed, inside one privileged container of that engine.

Three ports are published, to this machine alone: the registry's, the API server's and the inner engine's. What is slow to make lies
in one volume, the testbed's state in another. Nothing else of the user's engine is touched.
"""

import contextlib
from collections.abc import Iterable, Iterator

from ops.errors import Failure
from ops.exclusive import exclusive
from ops.say import Say
from ops.testbed.container import apply, client, facts, plan
from ops.testbed.container.place import ContainerPlace, here
from ops.testbed.model import WAITING, Part, Testbed

__all__ = ["ContainerPlace", "down", "here", "running", "unavailable", "up"]


def unavailable(place: ContainerPlace) -> str | None:
    """Why it cannot run on this machine, or None."""
    engine = facts.engine(place)
    return engine if isinstance(engine, str) else None


def up(place: ContainerPlace, parts: Iterable[Part], say: Say) -> Testbed:
    """Start the container unless it runs as it should, and in it what is missing of `parts`.

    Whoever interrupts it finds the container stopped, unless the testbed was whole before.
    """
    engine = facts.engine(place)
    if isinstance(engine, str):
        raise Failure("starting the testbed", engine, _remedy(place))
    client.check_programs(place, engine)
    with _held(place, say):
        whole = client.running(place)
        steps = plan.steps(facts.look(place), apply.image_tag(), apply.settings_key(place))
        client.remember_engine(place, whole.parts if whole else ())
        try:
            for step in steps:
                apply.STEPS[step](place, say)
            answer = apply.work(place, parts, say)
        except KeyboardInterrupt:
            if not whole:
                say("interrupted: stopping the testbed's container")
                apply.stop(place, say)
            raise
        apply.bring_kubectl(place, engine, answer.programs)
        return client.keep(place, answer)


def running(place: ContainerPlace) -> Testbed | None:
    """The testbed that was started here and answers on every port, or None. The user's engine is not asked."""
    return client.running(place)


def down(place: ContainerPlace, say: Say, *, wipe: bool) -> None:
    """Stop the testbed in order and remove its container; with `wipe` its volumes and its image too."""
    engine = facts.engine(place)
    if isinstance(engine, str):
        if place.remembered:
            raise Failure("stopping the testbed", engine, _remedy(place))
        return
    if not plan.removal(facts.look(place), wipe=wipe) and not place.remembered:
        return
    with _held(place, say):
        for step in plan.removal(facts.look(place), wipe=wipe):  # somebody else may have done it meanwhile
            apply.STEPS[step](place, say)
        client.forget(place, wipe=wipe)


def _remedy(place: ContainerPlace) -> str:
    usual = "Start Docker, then run it again."
    if not place.remembered:
        return usual
    engine = place.engine["DOCKER_HOST"] or place.engine["DOCKER_CONTEXT"] or "the usual one"
    return f"{usual} It was started on the engine of that time ({engine}); if that is gone for good, remove {place.record}."


@contextlib.contextmanager
def _held(place: ContainerPlace, say: Say) -> Iterator[None]:
    """One at a time: whoever comes second waits, and then finds what the first one did."""
    with contextlib.ExitStack() as held:
        try:
            place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            held.enter_context(exclusive(place.folder / "lock", WAITING, say))
        except OSError as error:
            cause = f"{error.filename}: {error.strerror}"
            raise Failure("opening the testbed's folder", cause, "Name another one: NEXTAI_STATE.") from error
        yield
