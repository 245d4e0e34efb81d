"""What did not become ready, and why: for people as lines, for machines as a document, each object with what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ops.errors import Failure
from ops.kube.client import Client
from ops.kube.excerpt import excerpt
from ops.kube.objects import Key
from ops.kube.readiness import Failed, Stuck, Waiting, remedy
from ops.kube.readiness.state import CauseKind

_FOREIGN = "exec format error"


@dataclass(frozen=True, slots=True)
class Broken:
    """An object that is not ready: why, of which kind the cause is, and the lines that tell of it."""

    key: Key
    cause: str
    kind: CauseKind
    log: tuple[str, ...] = ()

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return remedy(self.kind)

    def lines(self) -> str:
        """It for people."""
        return "\n".join([f"{self.key}: {self.cause}", *(f"    {line}" for line in self.log)])

    def document(self) -> dict[str, object]:
        """It for machines."""
        return {"object": named(self.key), "reason": self.kind, "cause": self.cause, "remedy": self.remedy, "log": [*self.log]}


def named(key: Key) -> dict[str, object]:
    """An object's identity for machines."""
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}


def objects_of(failure: Failure) -> list[object]:
    """The objects that a failure is about, for machines."""
    found = failure.details.get("objects")
    return found if isinstance(found, list) else []


def broken_by(client: Client, key: Key, state: Failed) -> Broken:
    """An object that failed, with its lines as they are now: they go with their container."""
    lines = tuple(excerpt(client, state.log)) if state.log else ()
    ended = state.kind in ("crash", "end") and any(_FOREIGN in line for line in lines)
    return Broken(key, state.cause, "platform" if ended else state.kind, lines)


def still_waiting(client: Client, key: Key, state: Waiting | Stuck) -> Broken:
    """An object that nothing was wrong with, and that was not ready in time."""
    lines = excerpt(client, state.log) if isinstance(state, Waiting) and state.log else []
    return Broken(key, f"waiting for {state.reason}", "waiting", tuple(lines))


def failure(broken: Sequence[Broken], seconds: float) -> Failure:
    """A rollout that failed, or (`seconds`) was not done in its time."""
    late = [f"not ready within {seconds:g} s"] if seconds else []
    cause = "\n".join([*late, *(b.lines() for b in broken)])
    return Failure("waiting for the rollout", cause, _remedies(broken), details={"objects": [b.document() for b in broken]})


def _remedies(broken: Sequence[Broken]) -> str:
    certain = [b for b in broken if b.kind != "waiting"] or broken
    found: dict[str, list[str]] = {}
    for b in certain:
        found.setdefault(b.remedy, []).append(b.key.name)
    if len(found) == 1:
        return f"{next(iter(found))} Then deploy again."
    return "\n".join([*(f"{', '.join(dict.fromkeys(names))}: {words}" for words, names in found.items()), "Then deploy again."])
