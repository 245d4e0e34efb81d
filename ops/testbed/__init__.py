"""A throw-away Docker Engine, registry and Kubernetes on this machine.

Three providers behind one value: `native` brings everything itself (Linux and root); `container` is the same inside one container of a
Docker engine (any machine); `existing` is a cluster, a registry and an engine that the environment names (NEXTAI_TESTBED_KUBECONFIG,
NEXTAI_TESTBED_CONTEXT, NEXTAI_TESTBED_REGISTRY).
"""

import os
import sys
from collections.abc import Iterable, Mapping

from ops.errors import Failure
from ops.say import Say
from ops.testbed.choice import refusals
from ops.testbed.model import PARTS, USUAL, Part, Provider, Testbed

__all__ = [
    "PARTS",
    "USUAL",
    "Part",
    "Provider",
    "Say",
    "Testbed",
    "down",
    "environment",
    "provider",
    "reason",
    "refusals",
    "running",
    "up",
]


def reason(provider: Provider) -> str | None:
    """Why a provider of a testbed of our own cannot run here; None where it can."""
    from ops.testbed import container, found

    return found.unavailable() if provider == "native" else container.unavailable(container.here())


def provider() -> Provider | None:
    """The provider that `up` would take where nothing runs; None where none can run."""
    from ops.testbed import choice, existing

    return "existing" if existing.named(os.environ) else choice.usable(reason)


def up(parts: Iterable[Part] = USUAL, *, provider: Provider | None = None, say: Say | None = None) -> Testbed:
    """Start what is missing of `parts` and wait until it is ready; again does no harm, after a crash neither.

    Raises `Failure` where it cannot run, or where something does not start.
    """
    from ops.testbed import choice, container, existing, layout, native

    if existing.named(os.environ):
        return existing.up()
    runs = running()
    if choice.chosen(provider, runs.provider if runs else None, reason) == "native":
        return native.up(layout.here(), parts, say or _to_stderr)
    return container.up(container.here(), parts, say or _to_stderr)


def running() -> Testbed | None:
    """The testbed that runs, or None."""
    from ops.testbed import existing, found, layout

    if existing.named(os.environ):
        return existing.running()
    # What root runs here is of no use to others: they may not read its files.
    if found.unavailable() is None and (own := found.running(layout.here())):
        return own
    from ops.testbed import container  # not before: every verb with --testbed waits for what is imported here

    return container.running(container.here())


def down(*, wipe: bool = False, say: Say | None = None) -> None:
    """Stop the testbed: no process, mount, bridge, iptables chain or control group of it is left, and nothing of another's is touched.

    `wipe` removes the images and the registry's content too. A testbed that the environment names is left alone.
    Raises `Failure` where one is left that root alone can stop.
    """
    from ops.testbed import container, existing, found, layout, native

    if existing.named(os.environ):
        return
    if found.unavailable() is None:
        native.down(layout.here(), say or _to_stderr, wipe=wipe)
    container.down(container.here(), say or _to_stderr, wipe=wipe)
    if found.is_roots(layout.here()):
        raise Failure("stopping the testbed", "a native one runs here, and it runs as root", "Run this as root.")


def environment(testbed: Testbed) -> Mapping[str, str]:
    """What a shell needs to work with it: docker and kubectl on the PATH, and what they are to talk to."""
    folders = dict.fromkeys(
        [str(testbed.docker.parent), str(testbed.kubectl.parent), *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    )
    certificates = testbed.docker_certificates
    return {
        "DOCKER_HOST": testbed.docker_host,
        "DOCKER_CONFIG": str(testbed.docker_config),
        **({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)} if certificates else {}),
        "KUBECONFIG": str(testbed.kubeconfig),
        "NEXTAI_REGISTRY": testbed.registry,
        "PATH": os.pathsep.join(folders),
    }


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
