"""Which stores readiness asks."""

from collections.abc import Mapping

from nextai_service_kit.health import Check

from memory_service.store import MemoryStore


def checks(store: MemoryStore) -> Mapping[str, Check]:
    """Milvus, with the collection loaded."""
    return {"milvus": store.check}
