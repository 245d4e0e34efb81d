"""Whether the process lives (/health), and whether it can do its work (/health/ready)."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from fastapi import APIRouter
from fastapi.responses import JSONResponse

PATIENCE = 2.0
"""Each store has this long, in seconds, to answer a readiness check."""

Check = Callable[[], None]
"""Asks one store; may block; raises when the store cannot be used."""

_log = logging.getLogger(__name__)


def router(service: str, version: str, checks: Mapping[str, Check]) -> APIRouter:
    """The two routes. `checks` are the stores by name."""
    routes = APIRouter()

    @routes.get("/health")
    async def live() -> dict[str, str]:
        return {"status": "ok", "service": service, "version": version}

    @routes.get("/health/ready")
    async def ready() -> JSONResponse:
        results = await asyncio.gather(*(_ask(name, check) for name, check in checks.items()))
        well = all(result == "ok" for result in results)
        answer = {"status": "ok" if well else "unavailable", "checks": dict(zip(checks, results, strict=True))}
        return JSONResponse(answer, 200 if well else 503)

    return routes


async def _ask(name: str, check: Check) -> str:
    """Ask one store in a thread. What the store said goes to the log only: it may name addresses."""
    try:
        await asyncio.wait_for(asyncio.to_thread(check), PATIENCE)
    except TimeoutError:
        cause = f"no answer within {PATIENCE:g} s"
        _log.warning("not ready", extra={"fields": {"store": name, "error": cause}})
        return f"error: {cause}"
    except Exception as error:
        _log.warning("not ready", extra={"fields": {"store": name, "error": str(error)}})
        return "error: failed (the log says why)"
    return "ok"
