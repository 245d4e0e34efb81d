"""What earlier deploys left in the cluster and is not wanted now. Nothing here writes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ops.catalog.names import OWNED
from ops.cluster import ownership
from ops.cluster.applying import apply
from ops.cluster.history import History
from ops.cluster.record import Record
from ops.kube.client import ApiError, Client
from ops.kube.objects import Key, Object, key_of, labels_of, text
from ops.kube.order import KEPT
from ops.kube.readiness.state import parse_time

_CLOCKS = timedelta(seconds=5)  # by which a record's time and the API server's may differ
KindPlace = tuple[str, str, str]  # kind, group, namespace


@dataclass(frozen=True, slots=True)
class Unwanted:
    """What is there with our label, and is not wanted now. `released`: what is left of it without our fields; None when it need not
    stay, or cannot be without them."""

    live: Object
    released: Object | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The live objects with our label: `objects`, and the `places` that were listed, so that what is not among them is not there."""

    objects: Mapping[Key, Object]
    places: Collection[KindPlace] = ()


def unwanted(client: Client, listed: Listed, wanted: Collection[Key], history: History) -> tuple[Unwanted, ...]:
    """The objects of earlier deploys that are not wanted now, without those that the failed deploys only took over."""
    adopted = history.adopted
    found = [
        live
        for live in left_by(client, listed, wanted, history)
        if ownership.partners(live, adopted=key_of(live) in adopted) or not older(live, history.last, history.trail)
    ]
    return tuple(client.each(lambda live: _released(client, live, adopted), found))


def left_by(client: Client, listed: Listed, wanted: Collection[Key], history: History) -> list[Object]:
    """What the records had or deleted, is there and is not wanted; and older ConfigMaps and Jobs with our label.

    What no list had is asked for by its name.
    """
    former = history.keys | history.removed
    found = [o for key, o in listed.objects.items() if key not in wanted and (key in former or key.kind in ("ConfigMap", "Job"))]
    unseen = [
        key
        for key in former
        if key not in wanted
        and (key.kind, key.group, key.namespace) not in listed.places
        and key not in listed.objects
        and key.kind not in KEPT
    ]
    answers = client.each(lambda key: client.get(r, key.namespace, key.name) if (r := client.by_key(key)) else None, unseen)
    return found + [o for o in answers if o is not None and OWNED in labels_of(o)]  # without our label it is not ours to delete


def older(live: Object, last: Record | None, trail: Sequence[Record]) -> bool:
    """Whether an object existed before the failed deploys, which are the only ones that had it: they took it over, and did not make it."""
    key = key_of(live)
    if last and key in last.keys:
        return False
    first = next((r.header.started for r in trail if key in r.keys), "")
    made = text(live, "metadata", "creationTimestamp")
    return bool(first and made) and parse_time(made) < parse_time(first) - _CLOCKS


def _released(client: Client, live: Object, adopted: Collection[Key]) -> Unwanted:
    """An object that others made or apply too stays; `released` is what remains of it without our fields."""
    key = key_of(live)
    if not ownership.ours(live) or key.kind in KEPT or not ownership.partners(live, adopted=key in adopted):
        return Unwanted(live)
    try:
        return Unwanted(live, apply(client, client.resource_of(live), ownership.bare(live), dry_run=True))
    except ApiError:
        return Unwanted(live)
