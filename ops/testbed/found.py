"""The native testbed that runs here, and why there can be none: what every verb with --testbed asks, so it imports little."""

import contextlib
import json
import os
import platform
import shutil
from pathlib import Path

from ops.errors import Failure
from ops.testbed import cgroups, processes
from ops.testbed.layout import Layout
from ops.testbed.model import CONTEXT, PARTS, Part, Testbed

PROGRAMS = {"ip": "iproute2", "apt-get": "apt", "dpkg-deb": "dpkg", "tar": "tar", "umount": "mount"}
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}


def unavailable() -> str | None:
    """Why it cannot run on this machine, or None."""
    if platform.system() != "Linux":
        return f"it needs Linux, and this is {platform.system()}"
    if os.geteuid() != 0:
        return "it needs root"
    effective = int(Path("/proc/self/status").read_text().partition("CapEff:")[2].split()[0], 16)
    closed = [str(path) for path in cgroups.hierarchies(Path("/proc/self/mounts").read_text()) if not os.access(path, os.W_OK)]
    if closed:
        return f"control groups cannot be made here: {closed[0]} is read-only"
    lacking = [name for name, bit in CAPABILITIES.items() if not effective >> bit & 1]
    if lacking:
        return f"root lacks {' and '.join(lacking)} here (a container without privileges?)"
    missing = [f"{name} (package {package})" for name, package in PROGRAMS.items() if shutil.which(name) is None]
    if missing:
        return f"it needs Debian or a relative of it, with {', '.join(missing)}"
    return None


def running(layout: Layout) -> Testbed | None:
    """The testbed that was started here and whose every daemon still runs."""
    parts = done(layout)
    return value(layout, parts) if parts and all(processes.recorded(layout).values()) else None


def is_roots(layout: Layout) -> bool:
    """Whether any of its daemons runs here, and this process is not root, who started them. Raises `Failure` where that cannot be seen."""
    try:
        return os.geteuid() != 0 and any(processes.recorded(layout).values())
    except PermissionError as error:
        raise Failure("looking for a native testbed", f"{error.filename}: {error.strerror}", "Run this as root.") from error


def record(layout: Layout) -> dict[str, object]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = json.loads((layout.state / "running.json").read_text())
        if isinstance(found, dict):
            return found
    return {}


def done(layout: Layout) -> frozenset[Part]:
    """The parts that were started to their end."""
    names = record(layout).get("parts")
    return frozenset(part for part in PARTS if isinstance(names, list) and part in names)


def value(layout: Layout, parts: frozenset[Part]) -> Testbed:
    return Testbed(
        provider="native",
        registry=layout.registry,
        docker_host=f"unix://{layout.docker_socket}",
        docker_config=layout.docker_config,
        kubeconfig=layout.kubeconfig,
        context=CONTEXT,
        kubectl=layout.tools / "kubectl",
        docker=layout.tools / "docker",
        audit_log=layout.audit_log,
        parts=tuple(part for part in PARTS if part in parts),
    )
