"""The compose engine: the platform as containers of this machine's Docker Engine, from a document derived from the catalogue."""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from ops import stores
from ops.catalog import Catalog, Job
from ops.command import Command, environment, run
from ops.config import local as config
from ops.console import say
from ops.console.output import stream
from ops.errors import Failure
from ops.folders import write_private
from ops.local import composecontainers, composefile, plan, state
from ops.local.interrupt import Children, uninterrupted
from ops.local.ports import require_free
from ops.local.process import GRACE, Identity, identify
from ops.local.state import Entry, RunRecord, State
from ops.tools import find

_VOLUME = "com.docker.compose.volume"
_SECONDS_TO_READY = 300
_SECONDS_TO_STOP = 180  # each has its own time, those that need others first
_CORRECT = "Correct what the lines above say, then run `invoke up` again."


def start(catalog: Catalog, home: State) -> None:
    """Build and pull what the engine lacks, start every container, and return when all are healthy.

    Raises `Failure` with the last log lines of the container that does not come up; then nothing of it runs.
    """
    if not any(seen.status == "running" for seen in composecontainers.look(catalog, home)):
        require_free(plan.ports(catalog), home)
    setting = setting_of(catalog, home)
    _keep_password(catalog, home, setting)
    images = _images(catalog, catalog.started)
    composefile.write(catalog, home, images, setting)
    _pull(catalog, home)
    say("starting the containers")
    state.write(home, RunRecord("compose", identify(os.getpid()), "", _entries(catalog)))
    try:
        deadline = time.monotonic() + _SECONDS_TO_READY
        _await_health(catalog, home, _up(catalog, home, deadline), deadline)
        _end_scratch(catalog, home)
    except KeyboardInterrupt:
        _stop_again(catalog, home)
        raise
    except Failure as failure:
        raise Failure(failure.doing, failure.cause, f"{_stop_again(catalog, home)} {failure.remedy}", code=failure.code) from failure
    state.write(home, RunRecord("compose", identify(os.getpid()), config.page(catalog), _entries(catalog)))


def _end_scratch(catalog: Catalog, home: State) -> None:
    """End the server on which the migrations were tried: they have run. The next `up` starts it again."""
    with composecontainers.client() as engine:
        for container in composecontainers.of(engine, catalog, home, composefile.scratch(catalog)):
            container.stop(timeout=int(GRACE))


def _stop_again(catalog: Catalog, home: State) -> str:
    """Stop what has been started, and return a sentence on whether that worked. It never raises: the first failure is the one to report."""
    with uninterrupted():
        try:
            stop(catalog, home, volumes=False)
        except Failure:
            return "Not everything could be stopped again: `invoke down` ends the rest."
    return "Everything was stopped again."


def run_job(catalog: Catalog, home: State, job: Job) -> int:
    """Build a job's image, run it to its end in a container beside the platform's, its lines shown, and return its exit code.

    The container goes with it. Ctrl-C ends it.
    """
    image = _images(catalog, [job.name])[job.name]
    document = composefile.write_job(catalog, home, job, image, setting_of(catalog, home))
    arguments = ("run", "--rm", "--no-deps", "--no-TTY", job.name)
    command = _compose(catalog, home, arguments, f"running {job.name}", document=document)
    command = replace(
        command, env={**command.env, "COMPOSE_IGNORE_ORPHANS": "true"}
    )  # the platform's containers are none of this document's
    child = subprocess.Popen(
        command.argv, env=environment(command), cwd=command.cwd, stdin=subprocess.DEVNULL, stdout=stream(), start_new_session=True
    )
    try:
        return child.wait()
    finally:
        with uninterrupted():
            if child.poll() is None:
                child.terminate()  # compose hands it on to the container, and waits for that one's end
                child.wait()
            with composecontainers.client() as engine:
                for left in composecontainers.of(engine, catalog, home, job.name):
                    left.remove(force=True)


def setting_of(catalog: Catalog, home: State) -> config.Setting:
    """What the services' variables are derived from, with each in a container of its own."""
    secrets = config.kept_secrets(catalog, home.secrets)
    return config.Setting(config.in_containers(catalog), secrets, config.overrides(catalog), "0.0.0.0")  # noqa: S104 (inside the container)


def _keep_password(catalog: Catalog, home: State, setting: config.Setting) -> None:
    """Remember which password the database's volume was made with: the server accepts no other. Raises `Failure` where that one is lost.

    A password in .env.local is used without this check.
    """
    store = catalog.database.store
    variable = config.password_variable(store)
    digest = hashlib.sha256(f"{catalog.database.user}:{config.password(store, setting)}".encode()).hexdigest()
    with composecontainers.client() as engine:
        filters: dict[str, str | list[str] | bool] = {"label": [composecontainers.label(catalog, home), f"{_VOLUME}={store}"]}
        there = bool(engine.volumes.list(filters=filters))
    if not there:
        write_private(home.password, digest)
    elif variable not in setting.overrides and not (home.password.exists() and home.password.read_text() == digest):
        raise Failure(
            f"starting {store}",
            f"its volume {composefile.project(catalog, home)}_{store} has a password that is not in {home.secrets} any more",
            f"Write the former one as {variable} into {config.OVERRIDES}, or remove all data: `invoke down --volumes`.",
        )


def _images(catalog: Catalog, names: Collection[str]) -> dict[str, str]:
    """The reference of each of these images in the engine, built if its key is not there."""
    from ops import images

    engine = images.BuildEngine(registry=catalog.registry)
    made = images.plan(catalog, list(names), engine, push=False)
    for planned in made.missing:
        say(f"{planned.name}: building the image")
    images.build(made, engine, push=False, report=say)
    return {planned.name: planned.reference for planned in made.images}


def _pull(catalog: Catalog, home: State) -> None:
    """Pull the stores' images that the engine lacks. It may take minutes, so it has no time limit, and shows its progress."""
    with composecontainers.client() as engine:
        lacking = {store.name: store.image for store in catalog.stores.values() if not composecontainers.has_image(engine, store.image)}
    if lacking:
        say(f"pulling {', '.join(lacking.values())}")
        command = _compose(catalog, home, ("pull", "--policy", "missing", *lacking), "pulling the stores' images", progress="auto")
        remedy = "Read the output above: make the registry reachable, or bring the images with `docker load`; then run `invoke up` again."
        run(replace(command, remedy=remedy), show=stream())


def _up(catalog: Catalog, home: State, deadline: float) -> str:
    """Start the containers, and return compose's error message, or the empty string.

    Compose itself waits for the containers that others depend on. Where that wait lasts until the `deadline`, the empty string is
    returned too: the state of the containers tells more than compose's own message.
    """
    argv = ("up", "--detach", "--remove-orphans", "--no-build", "--pull", "never")
    try:
        done = run(_compose(catalog, home, argv, "starting the containers"), check=False, timeout=_SECONDS_TO_READY)
    except Failure:
        if time.monotonic() < deadline:
            raise
        return ""
    return (done.stderr.strip() or f"`docker compose up` exited {done.code}") if done.code else ""


def _compose(
    catalog: Catalog, home: State, arguments: tuple[str, ...], doing: str, progress: str = "quiet", *, document: Path | None = None
) -> Command:
    tool, document = find("compose"), document or composefile.place(home)
    file = ("--file", str(document)) if document.exists() else ()
    argv = (*tool.argv, "--project-name", composefile.project(catalog, home), *file, "--progress", progress, *arguments)
    # A variable of this shell must not change what the document says.
    return Command(
        argv,
        doing,
        {**tool.env, "COMPOSE_FILE": "", "COMPOSE_PROFILES": ""},
        catalog.root,
        remedy="Read the output above; `docker info` may say more.",
    )


def inside(catalog: Catalog, home: State, name: str, argv: tuple[str, ...], *, terminal: bool) -> Command:
    """The command that runs a program in a container of the platform, with standard input and output joined to it."""
    streams = () if terminal else ("--no-TTY",)
    return _compose(catalog, home, ("exec", *streams, name, *argv), f"running {argv[0]} in {name}")


def _entries(catalog: Catalog) -> Mapping[str, Entry]:
    """The ports, so that another checkout can tell who has them. The containers' states are not recorded: the engine knows them."""
    return {name: Entry(Identity(0, ""), 0, "", port) for name, port in plan.ports(catalog).items()}


def _await_health(catalog: Catalog, home: State, trouble: str, deadline: float) -> None:
    """Wait until every container is healthy and every job has ended with 0. The first that fails ends the wait with a `Failure`.

    `trouble` is compose's message about containers that it could not start; where it is empty, every container exists.
    """
    said: set[str] = set()
    while True:
        seen = composecontainers._listed(catalog, home)
        words = {one.name: composecontainers.word(one, one.name in catalog.jobs) for one in seen}
        for name, word in words.items():
            if word in ("ready", "done") and name not in said:
                said.add(name)
                say(f"{name}: {word}")
        broken = [one for one in seen if words[one.name] == "unhealthy" or words[one.name].startswith("ended")]
        if broken:
            told = composecontainers.told(catalog, home, broken[0])
            raise Failure(f"starting {broken[0].name}", told, _remedy(catalog, home, broken[0].name, told))
        if trouble:
            raise Failure("starting the containers", trouble, "`docker info` may say more.")
        lacking = [name for name in (*catalog.stores, *catalog.started) if name not in words]
        late = [one for one in seen if one.name not in said]
        if not lacking and not late:
            return
        if time.monotonic() > deadline:
            raise _late(catalog, home, lacking, late)
        if lacking:
            cause = f"{', '.join(lacking)} was removed while it was starting, as `invoke down` in another terminal does"
            raise Failure("starting the containers", cause, "Run `invoke up` again.")
        time.sleep(0.2)


def _remedy(catalog: Catalog, home: State, name: str, told: str) -> str:
    """What to do about a container that ended."""
    known = stores.of(catalog.stores[name]) if name in catalog.stores else None
    if known is None or known.other_data is None or not re.search(known.other_data.says, told):
        return _CORRECT
    volume, image = f"{composefile.project(catalog, home)}_{name}", catalog.stores[name].image
    return (
        f"The volume {volume} was made by another version of {known.title} than {image}, which cannot read it. Remove the data of this "
        "machine (`invoke down --volumes`); or check out the commit that it was made with, run `invoke up`, and save it with "
        f"{known.other_data.save} first."
    )


def _late(catalog: Catalog, home: State, lacking: list[str], late: list[composecontainers.Seen]) -> Failure:
    """What is not ready in time, with the last lines of the first that runs: the others may only be waiting for that one."""
    names = ", ".join([*lacking, *(one.name for one in late)])
    first = [one for one in late if one.status == "running"][:1]
    told = [composecontainers.told(catalog, home, one) for one in first]
    return Failure("starting the containers", "\n".join([f"not ready after {_SECONDS_TO_READY} s: {names}", *told]), _CORRECT)


def attend(catalog: Catalog, home: State, pressed: list[int]) -> None:
    """Show the logs until the containers end, or Ctrl-C: then everything is stopped. It may be `pressed` already."""
    follower = None
    try:
        if pressed:
            raise KeyboardInterrupt
        command = _compose(catalog, home, ("logs", "--follow", "--tail", "0"), "following the logs")
        follower = subprocess.Popen(command.argv, env=environment(command), cwd=command.cwd, stdout=stream(), start_new_session=True)
        follower.wait()
        say("the platform was stopped from elsewhere")
    except KeyboardInterrupt:
        with uninterrupted():
            say("stopping …")
            if follower:  # else it has only just begun, and ends with the containers
                follower.terminate()
                follower.wait()
            stop(catalog, home, volumes=False)


def stop(catalog: Catalog, home: State, *, volumes: bool, forget: bool = True) -> int:
    """Remove the containers and their network, with `volumes` their data too, and return how many there were.

    `forget` the record, unless it is the embedded engine's.
    """
    if forget:
        state.keep_stopping(home)
    count = len(composecontainers.look(catalog, home))
    more = ("--volumes",) if volumes else ()
    command = _compose(catalog, home, ("down", "--remove-orphans", *more), "stopping the containers")
    Children().run(replace(command, remedy="`invoke down` ends the rest; `docker info` may say more."), timeout=_SECONDS_TO_STOP)
    shutil.rmtree(composefile.folder(home), ignore_errors=True)
    if forget:
        home.record.unlink(missing_ok=True)
    return count
