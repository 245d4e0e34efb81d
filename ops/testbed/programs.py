"""The folders of commands: one for the daemons, and one with docker and kubectl for people."""

from collections.abc import Iterable
from pathlib import Path

from ops.errors import Failure
from ops.say import Say
from ops.testbed import build, fetch
from ops.testbed.keep import write
from ops.testbed.layout import Layout
from ops.testbed.model import Part

KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl")
PLUGINS = ("docker-buildx", "docker-compose")


def gathered(layout: Layout, parts: Iterable[Part], say: Say) -> None:
    """Fetch and build what the cache lacks, and fill the folders of commands."""
    wanted = set(parts)
    forky, bookworm = (fetch.unpacked(layout, suite, say) for suite in ("forky", "bookworm"))
    for program in (*(forky / "usr/bin").iterdir(), *(forky / "usr/sbin").iterdir()):
        _link(layout.bin / program.name, program)
    _link(layout.tools / "docker", forky / "usr/bin/docker")
    for name in PLUGINS:
        _link(layout.docker_config / "cli-plugins" / name, next(forky.glob(f"usr/**/cli-plugins/{name}")))
    _wrap_libraries(layout, bookworm)
    if "images" in wanted:
        _wrap_mmdebstrap(layout, fetch.unpacked(layout, "trixie", say))
    if wanted & {"cluster", "metrics"}:
        programs = build.built(layout, say)
        for name in KUBERNETES:
            write(layout.bin / name, f'#!/bin/sh\nexec "{programs}/kube" {name} "$@"\n', 0o755)
        _link(layout.tools / "kubectl", layout.bin / "kubectl")
        _link(layout.bin / "kube-router", programs / "kube-router")


def _link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _wrap_libraries(layout: Layout, root: Path) -> None:
    """Commands that run programs of an unpacked folder with the libraries of that folder."""
    commands = {
        f"{kind}{suffix}": ("xtables-nft-multi", f"{kind}{suffix}")
        for kind in ("iptables", "ip6tables")
        for suffix in ("", "-save", "-restore")
    }
    commands |= {name: (name, "") for name in ("runc", "socat", "conntrack", "ipset", "igzip")} | {"modprobe": ("kmod", "modprobe")}
    commands |= {"unpigz": ("igzip", "-d")}  # the name that dockerd looks for
    libraries = ":".join(str(path) for pattern in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu") for path in root.glob(pattern))
    tables = next(root.glob("usr/lib/*-linux-gnu/xtables"))
    for name, (program, first) in commands.items():
        path = _find(root, program)
        script = f'export LD_LIBRARY_PATH="{libraries}" XTABLES_LIBDIR="{tables}"\nexec "{path}" {first} "$@"\n'
        write(layout.bin / name, f"#!/bin/sh\n{script}", 0o755)


def _wrap_mmdebstrap(layout: Layout, root: Path) -> None:
    for program in (root / "usr/bin").iterdir():  # it calls mmtarfilter, which lies beside it
        _link(layout.bin / program.name, program)


def _find(root: Path, program: str) -> Path:
    for folder in ("usr/sbin", "usr/bin", "sbin", "bin"):
        path = root / folder / program
        if path.exists():
            return path
    raise Failure("gathering the testbed's programs", f"no {program} below {root}", "Remove that folder and run it again.")
