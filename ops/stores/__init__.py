"""One file a kind of store, by the kind's name: its `STORE` says all that this build system knows of it."""

from importlib import import_module
from pkgutil import iter_modules

from ops.catalog import Store
from ops.errors import UsageError
from ops.stores.model import Access, StoreKind

__all__ = ["Access", "StoreKind", "kind_of", "names", "of"]


def names() -> list[str]:
    """The kinds that there is a file for."""
    return sorted(module.name for module in iter_modules(__path__) if module.name not in ("model", "programs"))


def of(store: Store) -> StoreKind:
    """What is known of a store of the catalogue: its kind has its name. Raises `UsageError` where that has no file."""
    return kind_of(store.name)


def kind_of(kind: str) -> StoreKind:
    """What is known of a kind of store. Raises `UsageError` where it has no file."""
    if kind not in names():
        cause = f"there is no ops/stores/{kind}.py (there is {', '.join(names())})"
        raise UsageError(f"looking for the kind of store {kind}", cause, "Add the file, or correct the store's name in platform.yaml.")
    found = import_module(f"{__name__}.{kind}").STORE
    assert isinstance(found, StoreKind)
    return found
