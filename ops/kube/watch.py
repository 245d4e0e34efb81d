"""Waiting for a rollout: streams of changes into the readiness functions. Nothing is polled."""

import queue
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ops.errors import Failure
from ops.kube import write
from ops.kube.broken import Broken, broken_by, failure, still_waiting
from ops.kube.client import Client, Unavailable
from ops.kube.mirror import Mirror
from ops.kube.objects import SCALED, Key, Object, key_of
from ops.kube.progress import Notice, RolloutProgress, Tell
from ops.kube.readiness import Done, Failed, State, Stuck, Surroundings, Waiting, judge
from ops.kube.readiness.causes import failed

__all__ = ["Notice", "Tell", "wait"]

_TICK_SECONDS = 1.0  # some causes become definite by time alone
_OTHERS_SECONDS = 20.0  # as long as a probe needs to be sure, after the first workload has failed
_AROUND = (("v1", "Pod"), ("v1", "Event"), ("v1", "PersistentVolumeClaim"), ("apps/v1", "ReplicaSet"))


def wait(
    client: Client,
    keys: Sequence[Key],
    *,
    seconds: float,
    tell: Tell,
    check: Callable[[], None] = lambda: None,
    since: datetime | None = None,
) -> None:
    """Wait until all objects are ready. `check` is called often and may raise, to give up.

    Raises `Failure` with the cause as soon as one of them is known not to become ready, or after `seconds`.
    """
    awaited = [key for key in keys if _judged(key)]
    if not awaited:
        return
    changed: queue.SimpleQueue[Mirror] = queue.SimpleQueue()
    mirrors = _mirrors(client, awaited, changed)
    for mirror in mirrors:
        mirror.start()
    try:
        _until_ready(client, awaited, mirrors, changed, _Limits(client.now(), since or client.now(), seconds, tell, check))
    finally:
        for mirror in mirrors:
            mirror.stop()


@dataclass(frozen=True, slots=True)
class _Limits:
    start: datetime
    since: datetime
    seconds: float
    tell: Tell
    check: Callable[[], None]


def _judged(key: Key) -> bool:
    from ops.kube.readiness import JUDGES

    return key.kind in JUDGES


def _mirrors(client: Client, awaited: Iterable[Key], changed: "queue.SimpleQueue[Mirror]") -> list[Mirror]:
    awaited = list(awaited)
    wanted = {(resource, key.namespace) for key in awaited if (resource := client.by_key(key))}
    around = [(kind, key.namespace) for key in awaited if key.namespace for kind in _AROUND]
    around += [(("apps/v1", kind), key.namespace) for key in awaited if key.kind == "HorizontalPodAutoscaler" for kind in SCALED]
    wanted |= {(resource, namespace) for (version, kind), namespace in around if (resource := client.resource(version, kind))}
    return [Mirror(client, resource, namespace, changed) for resource, namespace in sorted(wanted, key=lambda w: (w[0].plural, w[1]))]


def _until_ready(
    client: Client, awaited: Sequence[Key], mirrors: Sequence[Mirror], changed: "queue.SimpleQueue[Mirror]", limits: _Limits
) -> None:
    progress = RolloutProgress(client, limits.tell)
    freed: set[str] = set()
    broken: dict[Key, Broken] = {}
    last: dict[Key, State] = {}
    deadline = limits.start + timedelta(seconds=limits.seconds)
    while True:
        _drain(changed)
        limits.check()
        states = _judge_all(client, [key for key in awaited if key not in broken], mirrors, limits.since, last)
        for key, state in states.items():
            progress.report(key, state)
            if isinstance(state, Stuck) and state.uid not in freed:
                freed.add(state.uid)
                _free(client, key, state, limits.tell)
            if isinstance(state, Failed):
                # The others are waited for a little longer, so that one deploy shows every cause.
                deadline = deadline if broken else min(deadline, client.now() + timedelta(seconds=_OTHERS_SECONDS))
                broken[key] = broken_by(client, key, state)
        open_ = {key: state for key, state in states.items() if isinstance(state, Waiting | Stuck)}
        if states and not open_ and not broken:
            return
        if (broken and not open_) or client.now() > deadline:
            late = [still_waiting(client, key, state) for key, state in open_.items()]
            raise failure([*broken.values(), *late], 0 if broken else limits.seconds)


def _drain(changed: "queue.SimpleQueue[Mirror]") -> None:
    """Wait for a change (or a tick), and take all that have come with it."""
    try:
        mirror = changed.get(timeout=_TICK_SECONDS)
        while True:
            if mirror.error is not None:
                kind = Unavailable if isinstance(mirror.error, Unavailable) else Failure
                raise kind("watching the rollout", str(mirror.error), "Check the cluster, then run `invoke status`.")
            mirror = changed.get_nowait()
    except queue.Empty:
        return


def _judge_all(
    client: Client, awaited: Sequence[Key], mirrors: Sequence[Mirror], since: datetime, last: dict[Key, State]
) -> dict[Key, State]:
    """How each object is; nothing before all kinds are listed. `last`: how each was when it was last there, which is kept here."""
    if not all(mirror.listed.is_set() for mirror in mirrors):
        return {}
    scenes = {namespace: _scene(client, mirrors, namespace, since) for namespace in {key.namespace for key in awaited}}
    # A mirror keeps its objects until a deletion or a fresh list takes them: what is not here is gone, whatever befell its watch.
    live = {key_of(o): o for mirror in mirrors for o in mirror.objects.values()}
    last |= {key: judge(live[key], scenes[key.namespace]) for key in awaited if key in live}
    return {key: last[key] if key in live else _away(key, last.get(key)) for key in awaited}


def _away(key: Key, last: State | None) -> State:
    """How what is not there is. A Job that has ended well may be cleaned up while others are still waited for."""
    if last is None:
        return Waiting("it to appear")
    if key.kind == "Job":
        return last if isinstance(last, Done) else failed("deleted", end="ended")
    return failed("deleted", end="was ready")


def _scene(client: Client, mirrors: Sequence[Mirror], namespace: str, since: datetime) -> Surroundings:
    def of(kind: str) -> list[Object]:
        return [o for m in mirrors if m.resource.kind == kind and m.namespace == namespace for o in m.objects.values()]

    workloads = [o for kind in SCALED for o in of(kind)]
    return Surroundings(client.now(), since, of("Pod"), of("ReplicaSet"), of("PersistentVolumeClaim"), of("Event"), workloads)


def _free(client: Client, key: Key, stuck: Stuck, tell: Tell) -> None:
    """Delete a broken pod that its StatefulSet waits for."""
    write.delete(client, f"/api/v1/namespaces/{stuck.namespace}/pods/{stuck.pod}", preconditions={"uid": stuck.uid})
    tell(Notice(key, "replaced", f"deleted pod {stuck.pod} of the former revision, which was broken: {stuck.reason}"))
