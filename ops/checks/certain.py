"""What is known of a run's verdict before it begins: sessions that cannot pass as this machine is now."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from ops.catalog import Catalog
from ops.errors import Failure


@dataclass(frozen=True, slots=True)
class Certain:
    """The sessions that will fail, why, and what to do first."""

    sessions: tuple[str, ...]
    why: str
    remedy: str

    def __str__(self) -> str:
        return f"{' and '.join(self.sessions)} will fail: {self.why}\nnext: {self.remedy}"


def certain(catalog: Catalog) -> Iterator[Certain]:
    """Every such session, with what ends the certainty."""
    from ops import testbed

    try:
        running = testbed.running()
    except Failure as failure:
        yield Certain(("integration", "platform", "new_services", "lifecycle"), failure.cause, failure.remedy)
    else:
        if running and os.environ.get("CI") != "true":
            yield Certain(("lifecycle",), "it would end the testbed that runs here", "End it: `invoke testbed.down`.")
        if not running and testbed.provider() is None:
            why = f"no testbed can run here ({testbed.refusals(testbed.reason)})"
            yield Certain(("integration", "platform", "new_services", "lifecycle"), why, "Be root on Linux, or start Docker.")
    taken = [f"{port} ({name})" for name, port in _ports(catalog).items() if _listens(port)]
    if taken and not os.environ.get("E2E_BASE_URL"):
        yield Certain(("e2e",), f"ports of the platform are in use: {', '.join(taken)}", "End what runs there: `invoke down`.")


def _ports(catalog: Catalog) -> dict[str, int]:
    from ops.local import plan

    return plan.ports(catalog)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex(("127.0.0.1", port)) == 0
