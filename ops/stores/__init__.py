"""One file a kind of store, by the kind's name: its `STORE` says all that this build system knows of it."""

from collections.abc import Iterator
from typing import get_args

from ops.catalog import Store
from ops.catalog.check import amount
from ops.catalog.model import Resources
from ops.errors import UsageError
from ops.kinds import Kinds
from ops.stores.model import Access, Holding, StoreKind

__all__ = ["Access", "StoreKind", "kind_of", "names", "of", "resources"]


KINDS = Kinds(__name__, "STORE", StoreKind, what="kind of store", entry="store", others=("model", "programs"))
names, kind_of = KINDS.names, KINDS.of


def of(store: Store) -> StoreKind:
    """What is known of a store of the catalogue.

    Raises `UsageError` where its kind has no file, or has not what the store's entry asks of it.
    """
    kind = kind_of(store.kind)
    if wrong := list(_refused(store, kind)):
        remedy = f"Take it out; or see to it in ops/stores/{store.kind}.py."
        raise UsageError("reading platform.yaml", "\n".join(wrong), remedy)
    return kind


def _refused(store: Store, kind: StoreKind) -> Iterator[str]:
    """What the entry of a store asks, and its kind has not: nothing is accepted that would do nothing."""

    def at(key: str) -> str:
        return f"platform.yaml:{store.lines.get(key, 1)}: stores.{store.name}.{key}"

    for what in get_args(Holding):
        if getattr(store.contents, what) and what not in kind.holds:
            yield f"{at(what)}: {kind.title} has no {what}"
    for environment, profile in store.profiles.items():
        if profile == "replicated" and kind.replicated is None:
            yield f"{at('profile')}.{environment}: {kind.title} has no replicated form yet"
    for environment in store.resources:
        given = _given(store, kind, environment)
        for what in sorted(given.requests.keys() & given.limits.keys()):
            if amount(given.requests[what]) > amount(given.limits[what]):
                words = f"it requests {given.requests[what]} of {what}, more than its limit of {given.limits[what]}"
                yield f"{at('resources')}.{environment}: {words}"


def resources(store: Store, environment: str) -> Resources:
    """What a store's pod is given in an environment: what its entry says there, and what its kind says for the rest."""
    return _given(store, of(store), environment)


def _given(store: Store, kind: StoreKind, environment: str) -> Resources:
    usual, own = kind.pod.resources, store.resources.get(environment, Resources({}, {}))
    return Resources({**usual.requests, **own.requests}, {**usual.limits, **own.limits})
