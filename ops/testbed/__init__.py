"""A throw-away Docker Engine, registry and Kubernetes on this machine.

Two providers behind one value: `native` brings everything itself (Linux and root); `existing` is a cluster, a registry and an
engine that the environment names (NEXTAI_TESTBED_KUBECONFIG, NEXTAI_TESTBED_CONTEXT, NEXTAI_TESTBED_REGISTRY).
"""

import os
import sys
from collections.abc import Iterable, Mapping

from ops.errors import Failure
from ops.testbed.model import PARTS, USUAL, Part, Say, Testbed

__all__ = ["PARTS", "USUAL", "Part", "Say", "Testbed", "down", "environment", "running", "unavailable", "up"]


def unavailable() -> str | None:
    """Why no testbed can run here, or None."""
    from ops.testbed import existing, native

    return None if existing.named(os.environ) else native.unavailable()


def up(parts: Iterable[Part] = USUAL, *, say: Say | None = None) -> Testbed:
    """Start what is missing of `parts` and wait until it is ready; again does no harm, after a crash neither.

    Raises `Failure` where it cannot run, or where something does not start.
    """
    from ops.testbed import existing, layout, native

    if existing.named(os.environ):
        return existing.up()
    reason = native.unavailable()
    if reason:
        remedy = "Run it as root on Linux, or name a cluster: NEXTAI_TESTBED_KUBECONFIG and NEXTAI_TESTBED_REGISTRY."
        raise Failure("starting the testbed", reason, remedy)
    return native.up(layout.here(), parts, say or _to_stderr)


def running() -> Testbed | None:
    """The testbed that runs, or None."""
    from ops.testbed import existing, layout, native

    return existing.running() if existing.named(os.environ) else native.running(layout.here())


def down(*, wipe: bool = False, say: Say | None = None) -> None:
    """Stop the testbed: no process, mount, bridge, iptables chain or control group of it is left, and nothing of another's is touched.

    `wipe` removes the images and the registry's content too. A testbed that the environment names is left alone.
    """
    from ops.testbed import existing, layout, native

    if not existing.named(os.environ):
        native.down(layout.here(), say or _to_stderr, wipe=wipe)


def environment(testbed: Testbed) -> Mapping[str, str]:
    """What a shell needs to work with it: docker and kubectl on the PATH, and what they are to talk to."""
    folders = dict.fromkeys(
        [str(testbed.docker.parent), str(testbed.kubectl.parent), *os.environ.get("PATH", os.defpath).split(os.pathsep)]
    )
    return {
        "DOCKER_HOST": testbed.docker_host,
        "DOCKER_CONFIG": str(testbed.docker_config),
        "KUBECONFIG": str(testbed.kubeconfig),
        "NEXTAI_REGISTRY": testbed.registry,
        "PATH": os.pathsep.join(folders),
    }


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
