"""What runs inside the container: `init`, its first process, and `up`, which starts the native testbed and tells by lines of JSON."""

import contextlib
import json
import os
import shutil
import signal
import sys
from dataclasses import replace

from ops.command import Command, run
from ops.errors import Failure
from ops.testbed import build, certificates, cgroups, native, processes
from ops.testbed.container.client import CERTIFICATES
from ops.testbed.found import unavailable
from ops.testbed.layout import Layout, here
from ops.testbed.model import PARTS

MODULE = "ops.testbed.container.inside"
MODULES = ("br_netfilter", "ip_set", "overlay")  # of the kernel; it loads the others by itself when they are first used


def init() -> int:
    """Prepare what a machine has and a container lacks, reap what nobody waits for, and end the testbed when told to stop."""
    _prepare(here())
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    while signal.sigwait(signals) == signal.SIGCHLD:
        _reap()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    starting = {pid for pid, process in processes.table().items() if MODULE in process.argv and "up" in process.argv}
    processes.stop(starting, signal.SIGINT, 10)
    processes.stop(starting, signal.SIGKILL, 2)
    native.down(_published(), _say, wipe=False)
    return 0


def up(request: dict[str, object]) -> int:
    """Start what is missing of the parts asked for, and tell what a client outside needs. A failure is told, too."""
    asked, product, server = request["parts"], str(request["product"]), str(request["server"])
    parts = [part for part in PARTS if isinstance(asked, list) and part in asked]
    layout = _published(product)
    try:
        if reason := unavailable():
            raise Failure("starting the testbed inside its container", reason, "The engine must give a container all privileges.")
        found = native.up(layout, parts, _say)
    except Failure as failure:
        _tell({"doing": failure.doing, "cause": failure.cause, "remedy": failure.remedy})
        return 1
    files = ("docker-ca.crt", "docker-client.crt", "docker-client.key")
    _tell(
        {
            "parts": list(found.parts),
            "kubeconfig": certificates.kubeconfig(layout, "admin", server),
            "certificates": {name: (layout.pki / file).read_text() for name, file in zip(CERTIFICATES, files, strict=True)},
            "programs": str(build.folder(layout)),
        }
    )
    return 0


def _published(product: str = "") -> Layout:
    return replace(here(), published=True, product=product)


def _prepare(layout: Layout) -> None:
    # Nobody else runs yet, and nobody else has this cache: what is half made there will never be finished.
    for pattern in (".new-*", "*/.new-*"):
        for leftover in layout.cache.glob(pattern):
            shutil.rmtree(leftover, ignore_errors=True)
    run(Command(("mount", "--make-rshared", "/"), "letting pods see mounts of the node"))
    for module in MODULES:  # where there are none to load, they are built in, or the engine has loaded them
        run(Command(("modprobe", module), f"loading the kernel module {module}"), check=False)
    cgroups.leave_root()


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _say(text: str) -> None:
    _tell({"say": text})


def _tell(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    sys.exit(init() if sys.argv[1:] == ["init"] else up(json.loads(sys.argv[2])))
