"""Ending the testbed, in order or after a crash, so that nothing of it is left but its files."""

import contextlib
import json
import shutil
import signal
from pathlib import Path

from ops.command import Command, run
from ops.errors import Failure
from ops.testbed import cgroups, network, processes
from ops.testbed.layout import Layout

# The next cluster is a new one; the registry's and Docker's images stay.
PASSING = (
    "etcd",
    "kubelet",
    "kubelet-plugins",
    "containerd",
    "cni",
    "pids",
    "pod-logs",
    "volumes",
    "docker/exec",
    "docker/docker.pid",
    "logs/audit.jsonl",
    "running.json",
)


def stop_all(layout: Layout) -> None:
    """End every process of the testbed and take away what they left: mounts, sockets, bridges, rules, control groups."""
    _stop_processes(layout)
    _remove_sockets(layout)
    _unmount(layout)
    network.restore(layout)
    cgroups.remove()
    _remove_traces(layout)
    for name in PASSING:
        path = layout.state / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def mounted(mountinfo: str, below: str) -> list[str]:
    """The mount points below a folder in the text of /proc/self/mountinfo, innermost first."""
    points = [line.split()[4].encode().decode("unicode_escape") for line in mountinfo.splitlines()]
    return sorted((point for point in points if point.startswith(f"{below}/")), key=len, reverse=True)


def _stop_processes(layout: Layout) -> None:
    # Those that own containers end first and in order; the rest may end anyhow.
    orderly = {pid for name in ("kubelet", "dockerd") if (pid := processes.pid_of(layout, name))}
    processes.stop(orderly, signal.SIGTERM, 10)
    processes.stop(processes.own_pids(layout), signal.SIGTERM, 2)
    for _ in range(20):  # a process may start another one while it is being ended
        left = processes.own_pids(layout)
        if not left:
            return
        processes.stop(left, signal.SIGKILL, 2)
    raise Failure("stopping the testbed", f"these processes do not end: {sorted(left)}", "Look at them with ps, and run it again.")


def _remove_sockets(layout: Layout) -> None:
    """A shim of containerd listens outside the state folder, and its socket stays when it is killed."""
    for owner in ("containerd/state", "docker/exec/containerd/daemon"):
        for file in (layout.state / owner).glob("io.containerd.runtime.v2.task/*/*/bootstrap.json"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                Path(json.loads(file.read_text())["address"].removeprefix("unix://")).unlink(missing_ok=True)


def _unmount(layout: Layout) -> None:
    for _ in range(5):  # one may hide another
        points = mounted(Path("/proc/self/mountinfo").read_text(), str(layout.state))
        if not points:
            return
        for point in points:
            run(Command(("umount", "--lazy", point), f"unmounting {point}"), check=False)


def _remove_traces(layout: Layout) -> None:
    """What the kubelet and the CNI library write outside of any folder that they are given."""
    for link in Path("/var/log/containers").glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{layout.state}/"):
            link.unlink()
    for result in Path("/var/lib/cni/results").glob("nextai-testbed-*"):
        result.unlink()
