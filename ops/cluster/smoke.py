"""The checks that follow a deploy. What is checked is the platform's business and lies in a file that the catalogue names;
this room only brings those checks to the cluster and says how they went.

They are loaded before anything is applied: a deploy that could not be checked does not begin.

The file names the service to reach in `SERVICE`, has functions `check_…` that are called in the order in which they stand,
each with one `Reach`, and a function `clean_up` that is called at the end, whatever happened.
"""

import importlib.util
import inspect
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from ops.catalog.model import Catalog
from ops.cluster.pods import find, selector_of
from ops.console import counted
from ops.errors import Failure, UsageError
from ops.kube.client import Client
from ops.kube.kubectl import execute, forward, kubectl
from ops.kube.objects import Object, condition, text
from ops.retry import Policy, Transient, persist

AGAIN = Policy(tries=3, first=1.0, seconds=600.0)


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


def prepare(catalog: Catalog, client: Client, say: Callable[[str], None]) -> Callable[[], None]:
    """What runs the checks of the catalogue's file. Raises `Failure` where they could not be run: no kubectl, or a wrong file."""
    checks = checks_of(catalog)
    kubectl(client.cluster)
    return lambda: verify(catalog, client, checks, say)


def verify(catalog: Catalog, client: Client, checks: Checks, say: Callable[[str], None]) -> None:
    """Run every check, and again where the connection to the cluster was lost meanwhile. Raises `Failure` that names all that failed."""
    persist(lambda _: _verify(catalog, client, checks, say), AGAIN)


def _verify(catalog: Catalog, client: Client, checks: Checks, say: Callable[[str], None]) -> None:
    ended: list[str] = []
    with _reach(catalog, client, checks.service, ended) as reach:
        try:
            failed = [line for check in checks.functions if (line := one(check, reach, say))]
        finally:
            _clean_up(checks, reach, say)
    if failed:
        failure = Failure("checking the platform after the deploy", "\n".join(failed), "Read `invoke logs` of the services that are named.")
        if not ended:
            raise failure
        say(f"the connection to the cluster was lost ({ended[0]}): the checks are run again")
        raise Transient(failure)
    say(f"{counted(len(checks.functions), 'check')} passed")


def checks_of(catalog: Catalog) -> Checks:
    """The checks of the file that the catalogue names. Raises `UsageError` where there are none, or not all that is needed."""
    path = catalog.root / str(catalog.smoke)
    if not path.is_file():
        raise UsageError("looking for the checks after a deploy", f"there is no {path}", "Correct `smoke` in platform.yaml.")
    module = _load(path)
    found = [thing for name, thing in inspect.getmembers(module, inspect.isfunction) if name.startswith("check_")]
    service, clean_up = getattr(module, "SERVICE", None), getattr(module, "clean_up", None)
    if not found:
        raise _wrong(f"{path} has no functions check_…")
    if not isinstance(service, str) or service not in catalog.services:
        raise _wrong(f"SERVICE names no service of the catalogue in {path}")
    if not callable(clean_up):
        raise _wrong(f"{path} has no function clean_up")
    return Checks(service, tuple(sorted(found, key=lambda check: check.__code__.co_firstlineno)), clean_up)


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("platform_checks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever the file's code does, it is the file that is wrong
        raise _wrong(f"{path}{_line(error, path)}: {_words(error)}") from error
    return module


def _wrong(cause: str) -> UsageError:
    return UsageError("loading the checks after a deploy", cause, "Correct that file; ops/cluster/smoke.py says what it has.")


def _words(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _line(error: BaseException, path: Path) -> str:
    """`:LINE` of the file at which the error arose, or nothing."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f":{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f":{lines[-1]}" if lines else ""


def one(check: Callable[[Reach], None], reach: Reach, say: Callable[[str], None]) -> str:
    """Run a check; returns what went wrong, or nothing. A check that raises anything has failed, whatever it raised."""
    name = (check.__doc__ or check.__name__).strip().splitlines()[0].rstrip(".")
    try:
        check(reach)
    except Failure as failure:
        wrong = failure.cause
    except AssertionError as error:
        wrong = str(error) or f"not so{_place(error, check)}"
    except KeyError as error:
        wrong = f"an earlier check did not give {error}{_place(error, check)}"
    except (Exception, SystemExit) as error:
        wrong = f"{_words(error)}{_place(error, check)}"
    else:
        say(f"  ok      {name}")
        return ""
    say(f"  failed  {name}: {wrong}")
    return f"{name}: {wrong}"


def _place(error: BaseException, check: Callable[[Reach], None]) -> str:
    path = Path(inspect.getfile(check))
    return f" ({path.name}{_line(error, path)})"


def _clean_up(checks: Checks, reach: Reach, say: Callable[[str], None]) -> None:
    try:
        checks.clean_up(reach)
    except (Exception, SystemExit) as error:
        say(f"  the checks could not remove what they made: {error}")


@contextmanager
def _reach(catalog: Catalog, client: Client, name: str, ended: list[str]) -> Iterator[Reach]:
    service = catalog.services[name]
    pod = _newest_ready(catalog, client, name)

    def run(where: str, argv: Sequence[str], stdin: str | None = None) -> str:
        """Run a program in the newest ready pod of a service or store; returns what it wrote."""
        found = _newest_ready(catalog, client, where)
        return execute(client.cluster, text(found, "metadata", "namespace"), text(found, "metadata", "name"), argv, stdin=stdin).stdout

    # To a pod, and not to the Service: kubectl may choose a pod of the former release that is on its way out.
    with forward(client.cluster, service.namespace, f"pod/{text(pod, 'metadata', 'name')}", service.port, ended) as port:
        yield Reach(f"http://127.0.0.1:{port}", run)


def _newest_ready(catalog: Catalog, client: Client, name: str) -> Object:
    ready = [
        pod
        for pod in find(client, selector_of(catalog, client, name))
        if text(condition(pod, "Ready"), "status") == "True" and not text(pod, "metadata", "deletionTimestamp")
    ]
    if not ready:
        raise Failure(f"reaching {name}", "no pod of it is ready", "`invoke status` says why.")
    return max(ready, key=lambda pod: text(pod, "metadata", "creationTimestamp"))
