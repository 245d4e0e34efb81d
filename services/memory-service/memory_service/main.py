"""The service: `python -m memory_service`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from nextai_service_kit import serve
from nextai_service_kit.settings import Settings

from memory_service import config, health, routes
from memory_service.embedding import HashedFeatures
from memory_service.store import MemoryStore

CONTRACT = Path(__file__).parent.parent / "contract.json"


def main() -> None:
    """Run until SIGTERM."""
    serve.run(CONTRACT, build)


def build(settings: Settings, version: str) -> FastAPI:
    """The app on the store that the environment names."""
    return application(MemoryStore(config.load(settings).milvus, HashedFeatures()), version)


def application(store: MemoryStore, version: str) -> FastAPI:
    """The app on a given store. The store connects in the background: a Milvus that is away is told by readiness."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        store.start()
        yield
        store.close()

    app = serve.application("memory-service", version, health.checks(store), lifespan)
    app.include_router(routes.router(store))
    return app
