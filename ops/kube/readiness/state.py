"""What a readiness function says, and what it sees."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from ops.kube.objects import Object, owned_by, text


@dataclass(frozen=True, slots=True)
class Done:
    """It is ready."""


@dataclass(frozen=True, slots=True)
class LogOf:
    """Whose last lines tell why: a container of a pod; `previous` is its run before the one that is now."""

    namespace: str
    pod: str
    container: str
    previous: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """It is not ready yet. `reason` completes "waiting for …"; `log`: whose lines tell how far it is."""

    reason: str
    log: LogOf | None = None


CauseKind = Literal[
    "image",
    "platform",
    "configuration",
    "crash",
    "end",
    "memory",
    "liveness",
    "readiness",
    "place",
    "claim",
    "lost volume",
    "mount",
    "attach",
    "network",
    "pod",
    "refused",
    "job",
    "deadline",
    "halted",
    "progress",
    "sealed",
    "target",
    "deleted",
    "waiting",
]


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not become ready by itself. `kind` says what can be done about it (`ops/kube/readiness/causes.py`)."""

    cause: str
    log: LogOf | None = None
    kind: CauseKind = "crash"


@dataclass(frozen=True, slots=True)
class Stuck:
    """A pod of a former revision is broken, and its controller waits for it for ever: it must be deleted to go on."""

    namespace: str
    pod: str
    uid: str
    reason: str


State = Done | Waiting | Failed | Stuck


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lies around an object: what is in its namespace, and the time by the cluster's clock. `workloads`: what can be scaled.

    Events about things that are older than `since` say nothing about this rollout.
    """

    now: datetime
    since: datetime
    pods: Sequence[Object] = field(default=())
    replica_sets: Sequence[Object] = field(default=())
    claims: Sequence[Object] = field(default=())
    events: Sequence[Object] = field(default=())
    workloads: Sequence[Object] = field(default=())

    def pods_of(self, uid: str) -> list[Object]:
        """The pods that an object owns, without those that are on their way out."""
        return [p for p in self.pods if owned_by(p, uid) and not text(p, "metadata", "deletionTimestamp")]

    def events_of(self, uid: str, *reasons: str) -> list[Object]:
        """The events about an object, oldest first. kubelet reports what repeats more and more seldom, so an old one may still hold."""
        found = [e for e in self.events if text(e, "involvedObject", "uid") == uid and (not reasons or text(e, "reason") in reasons)]
        return sorted(found, key=event_time)

    def news_of(self, uid: str, *reasons: str) -> list[Object]:
        """The events about an object since the rollout began: for what outlives many rollouts."""
        return [e for e in self.events_of(uid, *reasons) if event_time(e) >= self.since]

    @property
    def making_room(self) -> bool:
        """Whether a pod is on its way out: what it holds (a place, a share of a quota) comes free soon."""
        return any(text(p, "metadata", "deletionTimestamp") for p in self.pods)

    def age_of(self, event: Object) -> float:
        """How many seconds ago an event happened first."""
        return (self.now - first_time(event)).total_seconds()

    def seconds_since(self, moment: str) -> float:
        """How long ago a time of the API was; 0 when it is empty."""
        return (self.now - parse_time(moment)).total_seconds() if moment else 0.0


def parse_time(moment: str) -> datetime:
    """A time as the API writes it."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00"))


def first_time(event: Object) -> datetime:
    """When an event happened first: one that repeats is one object, with its first and its last time."""
    moment = text(event, "firstTimestamp")
    return parse_time(moment) if moment else event_time(event)


def event_time(event: Object) -> datetime:
    """When an event happened last. Two kinds of reporters fill in different fields."""
    series = text(event, "series", "lastObservedTime")
    moment = series or text(event, "lastTimestamp") or text(event, "eventTime") or text(event, "metadata", "creationTimestamp")
    return parse_time(moment) if moment else datetime.min.replace(tzinfo=UTC)
