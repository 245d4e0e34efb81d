"""The provider that brings everything itself: Linux and root, and no Docker, registry or Kubernetes needed beforehand."""

import contextlib
import json
import shutil
import time
from collections.abc import Iterable, Iterator

from ops.errors import Failure
from ops.exclusive import exclusive
from ops.say import Say
from ops.testbed import (
    build,
    certificates,
    cgroups,
    cleanup,
    cluster,
    engine,
    images,
    network,
    objects,
    probes,
    processes,
    programs,
    volumes,
)
from ops.testbed.found import done, record, value
from ops.testbed.keep import key_of, write
from ops.testbed.layout import Layout, another_port
from ops.testbed.model import PARTS, WAITING, Part, Testbed
from ops.testbed.processes import Daemon


def up(layout: Layout, parts: Iterable[Part], say: Say) -> Testbed:
    """Start what is missing of `parts`, and wait until it is ready; what runs and is whole is left as it is.

    Raises `Failure` where another program has the registry's port, where the machine lacks something, or where a part does not start.
    """
    wanted = frozenset(parts)
    with _alone(layout, say), _told(layout):
        started = done(layout)
        if wanted <= started and _is_whole(layout, started):
            if "cluster" in started:
                volumes.free_released(layout)
            return value(layout, started)
        if _is_damaged(layout):
            say("the testbed was interrupted or has changed: clearing up, and starting it anew")
            wanted |= started
            _clear(layout, say)
        _check_port(layout)
        programs.gathered(layout, wanted, say)
        for part in PARTS:
            if part in wanted:
                _start(layout, part, say)
        return value(layout, done(layout))


def _start(layout: Layout, part: Part, say: Say) -> None:
    """Start one part, wait until it is ready, and write down that it is there."""
    begin = time.monotonic()
    STEPS[part](layout, say)
    parts = sorted(done(layout) | {part})
    write(layout.state / "running.json", json.dumps({"fingerprint": _fingerprint(layout), "parts": parts}))
    say(f"{part}: ready after {time.monotonic() - begin:.1f} s")


def down(layout: Layout, say: Say, *, wipe: bool) -> None:
    """Stop it and take away everything but its files; with `wipe` the images and the registry's content go too."""
    if not layout.state.exists():
        return
    with _alone(layout, say), _told(layout):
        _clear(layout, say)
        if wipe:
            shutil.rmtree(layout.state)


def _check_port(layout: Layout) -> None:
    """Raise `Failure`, before anything is done, where another program has the registry's port: it would be taken for the registry."""
    if processes.pid_of(layout, "registry") is None and not probes.free(layout.registry):
        other = another_port(int(layout.registry.rpartition(":")[2]))
        remedy = f"End it (`ss -ltnp` names it), or choose another port: NEXTAI_TESTBED_PORT={other}."
        raise Failure("starting the testbed's registry", f"another program listens on {layout.registry}", remedy)


def _clear(layout: Layout, say: Say) -> None:
    """Stop every process, and take away what the testbed has put into the kernel: interfaces, rules, mounts, groups."""
    if network.left_behind(layout):
        programs.gathered(layout, (), say)  # the clean-up needs iptables and ipset, and the cache may have been emptied since
    cleanup.stop_all(layout)


def _start_engine(layout: Layout, _: Say) -> None:
    _prepare(layout, with_cluster=False)
    mtu = network.uplink_mtu()
    if layout.published:
        certificates.prepare(layout)
    engine.configure(layout, mtu)
    processes.start(layout, [engine.registry(layout), engine.dockerd(layout)])


def _start_cluster(layout: Layout, say: Say) -> None:
    _prepare(layout, with_cluster=True)
    mtu = network.uplink_mtu()
    certificates.prepare(layout)
    engine.configure(layout, mtu)
    cluster.configure(layout, mtu)
    processes.start(layout, [engine.registry(layout), *cluster.stores(layout)])
    processes.start(layout, [cluster.api_server(layout)])
    objects.load_images(layout, say)
    objects.apply(layout)
    processes.start(layout, cluster.controllers(layout))
    processes.start(layout, [cluster.policies(layout)])
    objects.await_rollout(layout, "coredns", 90)


def _load_images(layout: Layout, say: Say) -> None:
    images.ready(layout, say)


def _await_metrics(layout: Layout, _: Say) -> None:
    objects.await_rollout(layout, "metrics-server", 120)


STEPS = {"engine": _start_engine, "cluster": _start_cluster, "images": _load_images, "metrics": _await_metrics}


def _prepare(layout: Layout, *, with_cluster: bool) -> None:
    network.check_free(layout)
    network.prepare(layout, cluster=with_cluster)
    cgroups.prepare()


def _daemons(layout: Layout, parts: frozenset[Part]) -> list[Daemon]:
    """The daemons that run when these parts do."""
    found = [engine.registry(layout)]
    if "engine" in parts:
        found.append(engine.dockerd(layout))
    if "cluster" in parts:
        found += [*cluster.stores(layout), cluster.api_server(layout), *cluster.controllers(layout), cluster.policies(layout)]
    return found


def _is_whole(layout: Layout, parts: frozenset[Part]) -> bool:
    """Whether all that these parts consist of is there and answers."""
    if _is_damaged(layout) or not all(processes.answers(daemon) for daemon in _daemons(layout, parts)):
        return False
    return "images" not in parts or images.complete(layout)


def _is_damaged(layout: Layout) -> bool:
    """Whether a daemon has died, or those that run were started with other settings than ours."""
    recorded = processes.recorded(layout)
    if not recorded:
        return network.left_behind(layout)
    return not all(recorded.values()) or record(layout).get("fingerprint") not in (None, _fingerprint(layout))


def _fingerprint(layout: Layout) -> str:
    """A key of every setting that the daemons are started with."""
    mtu = network.uplink_mtu()
    everything = _daemons(layout, frozenset({"engine", "cluster"}))
    files = {**engine.configuration(layout, mtu), **cluster.configuration(layout, mtu)}
    texts = [word for daemon in everything for word in daemon.argv]
    made = (build.folder(layout).name, certificates.made_from(layout), objects.documents(layout))
    return key_of(*made, *texts, *(text for pair in sorted(files.items()) for text in pair))


@contextlib.contextmanager
def _alone(layout: Layout, say: Say) -> Iterator[None]:
    """One at a time: whoever comes second waits, and then finds what the first one did."""
    try:
        layout.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cause = f"{layout.state}: {error.strerror}"
        raise Failure("starting the testbed", cause, "Name another folder: NEXTAI_TESTBED_STATE=/path.") from error
    with exclusive(layout.state.with_name(f"{layout.state.name}.lock"), WAITING, say):
        yield


@contextlib.contextmanager
def _told(layout: Layout) -> Iterator[None]:
    """Tell an error of the machine (a full disk, a folder that may not be written) as what it was done for."""
    try:
        yield
    except OSError as error:
        cause = f"{error.filename or 'system'}: {error.strerror or error}"
        raise Failure("starting or stopping the testbed", cause, f"Look at {layout.state}; `invoke testbed.down` clears up.") from error
