"""What the records say of earlier changes, as a plan needs it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property, partial

from ops.cluster import record
from ops.cluster.record import Header, Record
from ops.kube.client import Client
from ops.kube.objects import Key, Object, key_of


@dataclass(frozen=True)  # without slots: what is read off the records is kept
class History:
    """The records that count. `headers`: of all; `last`: the last good record; `trail`: those after it, which failed or have no end.

    `held`: the deploy of the newest record, which has no end yet, holds the lock.
    """

    headers: tuple[Header, ...] = ()
    last: Record | None = None
    trail: tuple[Record, ...] = ()
    held: bool = False

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The last good record, if there is one, and those after it."""
        return (self.last, *self.trail) if self.last else self.trail

    @cached_property
    def ran(self) -> set[Key]:
        """The keys of what the last good record has."""
        return self.last.keys if self.last else set()

    @cached_property
    def keys(self) -> set[Key]:
        """The keys of what any of the records has."""
        return {key for one in self.records for key in one.keys}

    @cached_property
    def removed(self) -> set[Key]:
        """The keys of what the deploy of the last good record deleted."""
        return set(self.last.header.removed_keys) if self.last else set()

    @cached_property
    def adopted(self) -> frozenset[Key]:
        """The keys of what others made, before a deploy had it."""
        return frozenset(key for one in self.records for key in one.header.adopted_keys)

    @cached_property
    def mutated(self) -> frozenset[str]:
        """The fields, each after its object's key, that the API server changed by itself when a deploy applied their objects."""
        return frozenset(field for one in self.records for field in one.header.mutated)

    @cached_property
    def warned(self) -> Mapping[Key, tuple[str, ...]]:
        """What the API server warned of each object when it was applied last."""
        return {key_of(o): one.warned.get(key_of(o).written, ()) for one in self.records for o in one.objects}

    @cached_property
    def manifests(self) -> Mapping[Key, Sequence[Object]]:
        """Each object as each of the records has it, the oldest first."""
        found: dict[Key, list[Object]] = {}
        for one in self.records:
            for manifest in one.objects:
                found.setdefault(key_of(manifest), []).append(manifest)
        return found


def start(client: Client, home: str, headers: Sequence[Header]) -> "list[Future[Record]]":
    """Begin to read the last good record and those after it, the oldest first."""
    good = record.last_good(headers)
    recent = [header for header in headers if good is None or header.number >= good.number]
    return [client.start(partial(record.load, client, home, header)) for header in recent]


def of(headers: Sequence[Header], records: Sequence[Record], *, held: bool) -> History:
    """The history, of all headers and of the records that `start` has read."""
    last, *trail = records if record.last_good(headers) else (None, *records)
    return History(tuple(headers), last, tuple(one for one in trail if one), held)
