"""Start and end of a service's process."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from nextai_service_kit import contract, errors, health, limits, logs, requests, settings
from nextai_service_kit.requests import RequestMiddleware
from nextai_service_kit.settings import InvalidEnvironment, Settings

# Longer than the gateway keeps idle connections (30 s), so that it never sends a request on one that is just being closed.
_KEEP_ALIVE = 75

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def application(
    service: str, version: str, needed: Mapping[str, health.Check], lifespan: Lifespan, shown: Mapping[str, health.Check] | None = None
) -> FastAPI:
    """An app with what every service has: request ids and log lines, limits, error bodies, health. The service adds its routes."""
    # The API's description is in the repository; a service does not publish it.
    app = FastAPI(title=service, version=version, lifespan=lifespan, openapi_url=None, redirect_slashes=False)
    app.add_middleware(RequestMiddleware)
    errors.install(app)
    app.include_router(health.router(service, version, needed, shown or {}))
    return app


def run(contract_file: Path, build: Callable[[Settings, str], FastAPI]) -> None:
    """Read the environment, build the app (`build(settings, version)`) and serve it until SIGTERM or SIGINT; then exit 0.

    Exits with 2, and one line on stderr that names every missing or wrong variable, when the environment is not as the contract says.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn takes signals over while it serves, and raises them again when it has ended: that must not look like a crash.
        signal.signal(number, _leave)
    try:
        values = settings.read(contract.load(contract_file), os.environ)
    except InvalidEnvironment as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    service = values.contract.service
    logs.configure(service, values.text("LOG_LEVEL"), values.text("LOG_FORMAT"))
    server = _Server(
        uvicorn.Config(
            build(values, os.environ.get("APP_VERSION") or "dev"),
            host=values.text("HOST"),
            port=values.number("PORT"),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=int(limits.FAREWELL),
        )
    )
    server.run()
    sys.exit(0 if server.started else 1)


class _Server(uvicorn.Server):
    """Ends connections before it stops to listen.

    uvicorn closes what is idle at once: a request that is just coming on such a connection would be lost. So it serves on for a while, and
    each answer says that its connection ends with it.
    """

    async def main_loop(self) -> None:
        """Serve until a signal, and then until no connection is left or `limits.DRAIN` is over."""
        await super().main_loop()
        requests.draining.set()
        over = time.monotonic() + limits.DRAIN
        while self.server_state.connections and not self.force_exit and time.monotonic() < over:
            await asyncio.sleep(0.02)


def _leave(_number: int, _frame: object) -> None:
    sys.exit(0)
