"""Which local ports are taken, and by whom."""

import errno
import itertools
import os
import random
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ops.errors import Failure
from ops.local import state
from ops.local.state import State

# What listens for containers: Docker Engine, its rootless kind, Docker Desktop, OrbStack, Lima.
_ENGINES = ("docker-proxy", "dockerd", "rootlesskit", "slirp4netns", "com.docker.", "vpnkit", "OrbStack", "limactl")
_NOT_HANDED_OUT = range(20_000, 32_000)  # Linux hands out those from 32768 on, others from 49152 on


def require_free(ports: Mapping[str, int], home: State) -> None:
    """Raise `Failure` naming every port that is taken, the service that wants it, and who holds it.

    Who holds it is a process, or the platform of another checkout, whose state folder lies beside `home`.
    """
    taken: list[str] = []
    ways: list[str] = []
    for name, port in ports.items():
        if free(port):
            continue
        pid = holder(port)
        program = _name(pid) if pid else ""
        words = f"{program} (pid {pid})" if pid else "a process that this user may not see"
        checkout = state.owner(home, 0 if program.startswith(_ENGINES) else pid, port)
        taken.append(f"port {port} (for {name}) is taken by {f'the platform of {checkout}: ' * bool(checkout)}{words}")
        ways.append(f"run `invoke down` in {checkout}" if checkout else "end that process")
    if taken:
        way = " and ".join(dict.fromkeys(ways))
        remedy = f"{way[0].upper()}{way[1:]}, or let the platform use other ports (`localPort` in platform.yaml); then run it again."
        raise Failure("taking the platform's ports", "\n".join(taken), remedy)


def free(port: int) -> bool:
    """Whether this machine's loopback port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that is only waiting for late packets is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_ports(count: int) -> list[int]:
    """Loopback ports that nothing listens on just now, none of them twice, and none that the system hands out by itself meanwhile."""
    found = (port for port in random.sample(_NOT_HANDED_OUT, 4_000) if free(port))
    return list(itertools.islice(found, count))


def holder(port: int) -> int:
    """The pid of the process that listens on a port; 0 where this user may not see it."""
    return _pid_from_proc(port) if sys.platform == "linux" else _pid_from_lsof(port)


def _pid_from_proc(port: int) -> int:
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            for link in (folder / "fd").iterdir():
                if str(link.readlink()) in sockets:
                    return int(folder.name)
        except OSError:  # another user's process, or one that has just ended
            continue
    return 0


def _listening(port: int) -> set[str]:
    # https://docs.kernel.org/networking/proc_net_tcp.html: local address is field 1, state 0A is LISTEN, inode is field 9.
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    found.add(fields[9])
    return found


def _pid_from_lsof(port: int) -> int:
    try:
        done = subprocess.run(("lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN"), capture_output=True, text=True, check=False)
    except OSError:
        return 0
    return int(done.stdout.split()[0]) if done.stdout.split() else 0


def _name(pid: int) -> str:
    if sys.platform == "linux":
        try:
            arguments = os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
            return " ".join(Path(part).name if part.startswith("/") else part for part in arguments[:2]).strip() or "a process"
        except OSError:
            return "a process"
    done = subprocess.run(("ps", "-o", "comm=", "-p", str(pid)), capture_output=True, text=True, check=False)
    return Path(done.stdout.strip() or "a process").name
