"""The control group below which every pod and every container of the testbed runs, in each hierarchy of the machine."""

import contextlib
from pathlib import Path

from ops.testbed.layout import CGROUP

CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")


def hierarchies(mounts: str) -> list[Path]:
    """The roots in the text of /proc/self/mounts: one for cgroup v2, several for v1."""
    lines = [line.split() for line in mounts.splitlines()]
    return [Path(fields[1]) for fields in lines if fields[2] in ("cgroup", "cgroup2")]


def folders() -> list[Path]:
    """Our group's folder in each hierarchy, whether it is there or not."""
    return [root / CGROUP for root in hierarchies(Path("/proc/self/mounts").read_text())]


def prepare() -> None:
    """Make the group; the kubelet wants to find it with every controller it needs."""
    for folder in folders():
        if (folder.parent / "cgroup.subtree_control").exists():  # v2: controllers are handed down one by one
            for controller in CONTROLLERS:
                with contextlib.suppress(OSError):
                    (folder.parent / "cgroup.subtree_control").write_text(f"+{controller}")
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # v1: a new cpuset is empty, and no process may enter it
            if (folder.parent / "cgroup.procs").exists() and (folder / name).exists() and not (folder / name).read_text().strip():
                with contextlib.suppress(OSError):  # v2 has these files too, and fills them by inheritance
                    (folder / name).write_text((folder.parent / name).read_text())


def leave_root(root: Path = Path("/sys/fs/cgroup")) -> None:
    """In a container with control groups v2, move every process out of the root of its namespace into a group below it.

    A group that has processes hands no controllers down (Linux, admin-guide/cgroup-v2, "no internal process constraint").
    """
    if not (root / "cgroup.controllers").exists():
        return
    leaf = root / "init"
    leaf.mkdir(exist_ok=True)
    for pid in (root / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):  # it may have ended
            (leaf / "cgroup.procs").write_text(pid)


def members() -> set[int]:
    """The processes in the group and in those below it."""
    found: set[int] = set()
    for folder in folders():
        for file in folder.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found |= {int(pid) for pid in file.read_text().split()}
    return found


def remove() -> None:
    """Remove the group and those below it, the innermost first; what still has a process stays."""
    for folder in folders():
        if folder.is_dir():
            for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), key=lambda path: len(path.parts), reverse=True):
                with contextlib.suppress(OSError):
                    inner.rmdir()
            with contextlib.suppress(OSError):
                folder.rmdir()
