"""The provider that brings nothing: the environment names a cluster, a registry and an engine that exist already."""

import os
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ops import documents
from ops.command import Command, run
from ops.errors import Failure, UsageError
from ops.folders import home
from ops.retry import Policy, Transient, persist
from ops.testbed.model import Testbed

KUBECONFIG, CONTEXT, REGISTRY = "NEXTAI_TESTBED_KUBECONFIG", "NEXTAI_TESTBED_CONTEXT", "NEXTAI_TESTBED_REGISTRY"
_POLICY = Policy(tries=4, seconds=5)


def named(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a testbed that exists."""
    return bool(environ.get(KUBECONFIG))


def up(environ: Mapping[str, str] = os.environ) -> Testbed:
    """The testbed that the environment names. Raises `Failure` if its cluster does not answer within some seconds."""
    testbed = value(environ)
    argv = (str(testbed.kubectl), f"--context={testbed.context}", "--request-timeout=5s", "get", "--raw=/readyz")
    remedy = f"Check {KUBECONFIG} and {CONTEXT}; unset {KUBECONFIG} to use a testbed of this machine's own."
    command = Command(argv, f"asking the cluster of context {testbed.context}", env={"KUBECONFIG": str(testbed.kubeconfig)}, remedy=remedy)
    persist(partial(_ask, command), _POLICY)
    return testbed


def _ask(command: Command, _tried: int) -> None:
    try:
        run(command, timeout=8)
    except Failure as failure:
        raise Transient(failure) from failure


def running(environ: Mapping[str, str] = os.environ) -> Testbed | None:
    """The same, or None if it does not answer."""
    try:
        return up(environ)
    except UsageError:
        raise
    except Failure:
        return None


def value(environ: Mapping[str, str] = os.environ) -> Testbed:
    """The testbed that the environment names. Nothing is asked of it: whoever uses it says which part does not answer."""
    kubeconfig = Path(environ[KUBECONFIG]).expanduser()
    if not os.path.isfile(kubeconfig):  # noqa: PTH113 (Path.is_file raises behind a folder that may not be read)
        raise UsageError(f"reading {KUBECONFIG}", f"{kubeconfig} is no file that can be read here", "Name a kubeconfig.")
    if not environ.get(REGISTRY):
        raise UsageError(
            f"reading {REGISTRY}", "it is empty", f"Name the registry (host:port) that the cluster of {KUBECONFIG} pulls from."
        )
    return Testbed(
        provider="existing",
        registry=environ[REGISTRY],
        docker_host=environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"),
        docker_config=Path(environ.get("DOCKER_CONFIG") or home() / ".docker"),
        kubeconfig=kubeconfig,
        context=environ.get(CONTEXT) or _current(kubeconfig),
        kubectl=_program("kubectl"),
        docker=_program("docker"),
        parts=("engine", "cluster"),
    )


def _current(kubeconfig: Path) -> str:
    from yaml import YAMLError

    try:
        document = documents.load(kubeconfig.read_text("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        # Its own words quote the line, which may hold a token.
        raise UsageError(f"reading {kubeconfig}", "it is no YAML", "Correct it, or name another kubeconfig.") from error
    context = document.get("current-context") if isinstance(document, dict) else None
    if not context:
        raise UsageError(f"reading {kubeconfig}", "it has no current-context", f"Name one with {CONTEXT}.")
    return str(context)


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise Failure("using the testbed that the environment names", f"there is no {name} on the PATH", f"Install {name}.")
    return Path(found)
