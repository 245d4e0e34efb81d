"""The checks that follow a deploy. What is checked is the platform's business and lies in a file that the catalogue names;
this room only brings those checks to the cluster and says how they went.

The file names the service to reach in `SERVICE`, has functions `check_…` that are called in the order in which they stand,
each with one `Reach`, and a function `clean_up` that is called at the end, whatever happened.
"""

import importlib.util
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ops.catalog.model import Catalog
from ops.cluster.client import Client
from ops.cluster.kubectl import execute, forward
from ops.cluster.logs import selector_of
from ops.cluster.objects import Object, rows, text
from ops.cluster.readiness.state import condition
from ops.errors import Failure, UsageError


@dataclass(slots=True)
class Reach:
    """What a check may use: the service's address on this machine, programs inside pods, and notes for the checks after it."""

    address: str
    run: Callable[..., str]
    notes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checks:
    """What the catalogue's file has: the service to reach, the checks in their order, and what removes what they made."""

    service: str
    functions: tuple[Callable[[Reach], None], ...]
    clean_up: Callable[[Reach], None]


def verify(catalog: Catalog, client: Client, say: Callable[[str], None]) -> None:
    """Run every check of the catalogue's file. Raises `Failure` that names all that failed."""
    checks = checks_of(catalog)
    with _reach(catalog, client, checks.service) as reach:
        try:
            failed = [line for check in checks.functions if (line := one(check, reach, say))]
        finally:
            _clean_up(checks, reach, say)
    if failed:
        raise Failure("checking the platform after the deploy", "\n".join(failed), "Read `invoke logs` of the services that are named.")
    say(f"{len(checks.functions)} checks passed")


def checks_of(catalog: Catalog) -> Checks:
    """The checks of the file that the catalogue names. Raises `UsageError` where there are none."""
    path = catalog.root / str(catalog.smoke)
    if not path.is_file():
        raise UsageError("looking for the checks after a deploy", f"there is no {path}", "Correct `smoke` in platform.yaml.")
    spec = importlib.util.spec_from_file_location("platform_checks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = [thing for name, thing in inspect.getmembers(module, inspect.isfunction) if name.startswith("check_")]
    if not found:
        raise UsageError("looking for the checks after a deploy", f"{path} has none", "Write functions named check_….")
    return Checks(module.SERVICE, tuple(sorted(found, key=lambda check: check.__code__.co_firstlineno)), module.clean_up)


def one(check: Callable[[Reach], None], reach: Reach, say: Callable[[str], None]) -> str:
    """Run a check; returns what went wrong, or nothing. A check that raises anything has failed, whatever it raised."""
    name = (check.__doc__ or check.__name__).strip().splitlines()[0].rstrip(".")
    try:
        check(reach)
    except Failure as failure:
        wrong = failure.cause
    except KeyError as error:
        wrong = f"an earlier check did not give {error}"
    except Exception as error:
        wrong = str(error) or type(error).__name__
    else:
        say(f"  ok      {name}")
        return ""
    say(f"  failed  {name}: {wrong}")
    return f"{name}: {wrong}"


def _clean_up(checks: Checks, reach: Reach, say: Callable[[str], None]) -> None:
    try:
        checks.clean_up(reach)
    except Exception as error:
        say(f"  the checks could not remove what they made: {error}")


@contextmanager
def _reach(catalog: Catalog, client: Client, name: str) -> Iterator[Reach]:
    service = catalog.services[name]
    pod = _newest_ready(catalog, client, name)

    def run(where: str, argv: Sequence[str], stdin: str | None = None) -> str:
        """Run a program in the newest ready pod of a service or store; returns what it wrote."""
        found = _newest_ready(catalog, client, where)
        return execute(client.target, text(found, "metadata", "namespace"), text(found, "metadata", "name"), argv, stdin=stdin).stdout

    # To a pod, and not to the Service: kubectl may choose a pod of the former release that is on its way out.
    with forward(client.target, service.namespace, f"pod/{text(pod, 'metadata', 'name')}", service.port) as port:
        yield Reach(f"http://127.0.0.1:{port}", run)


def _newest_ready(catalog: Catalog, client: Client, name: str) -> Object:
    namespace, selector = selector_of(catalog, client, name)
    answer = client.request("GET", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": selector})
    ready = [
        pod
        for pod in rows(answer, "items")
        if text(condition(pod, "Ready"), "status") == "True" and not text(pod, "metadata", "deletionTimestamp")
    ]
    if not ready:
        raise Failure(f"reaching {name}", "no pod of it is ready", "`invoke status` says why.")
    return max(ready, key=lambda pod: text(pod, "metadata", "creationTimestamp"))
