"""Whether the process lives (/health), and whether it can do its work (/health/ready)."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from nextai_service_kit.limits import READINESS

Check = Callable[[], None]
"""Asks one store; may block; raises when the store cannot be used."""

_log = logging.getLogger(__name__)


def router(service: str, version: str, needed: Mapping[str, Check], shown: Mapping[str, Check]) -> APIRouter:
    """The two routes, with the stores by name.

    `needed` are those that no request can do without; they decide. `shown` are told with them and decide nothing: a store that requests
    get along without would else withdraw every pod at the same moment.
    """
    routes = APIRouter()

    @routes.get("/health")
    async def live() -> dict[str, str]:
        return {"status": "ok", "service": service, "version": version}

    @routes.get("/health/ready")
    async def ready() -> JSONResponse:
        checks = {**needed, **shown}
        answers = await asyncio.gather(*(_ask(name, check) for name, check in checks.items()))
        results = dict(zip(checks, answers, strict=True))
        well = all(results[name] == "ok" for name in needed)
        return JSONResponse({"status": "ok" if well else "unavailable", "checks": results}, 200 if well else 503)

    return routes


async def _ask(name: str, check: Check) -> str:
    """Ask one store in a thread. What the store said goes to the log only: it may name addresses."""
    try:
        await asyncio.wait_for(asyncio.to_thread(check), READINESS)
    except TimeoutError:
        cause = f"no answer within {READINESS:g} s"
        _log.warning("a store does not answer", extra={"fields": {"store": name, "error": cause}})
        return f"error: {cause}"
    except Exception as error:
        _log.warning("a store does not answer", extra={"fields": {"store": name, "error": str(error)}})
        return "error: failed (the log says why)"
    return "ok"
