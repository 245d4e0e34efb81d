"""Go programs: pinned by a go.mod with a `tool` line under infra/tools, built once into the cache."""

import hashlib
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ops.command import Command, niced, run
from ops.errors import Failure
from ops.folders import cache
from ops.tools.kept import kept, unmarked, whole
from ops.tools.table import Spec, Tool
from ops.tools.versions import version_of

_TOOL = re.compile(r"^tool\s+(\S+)", re.MULTILINE)
_REQUIRED = re.compile(r"^\s*(?:require\s+)?(\S+)\s+v(\S+?)(?:\s|$)", re.MULTILINE)
# What Go says of a connection that ended too early: of the network, or of a server that is busy.
_BROKEN = re.compile(r"connection re(set|fused)|unexpected EOF|i/o timeout|handshake timeout|\b50[234]\b|stream error|no such host")


@dataclass(frozen=True, slots=True)
class Pin:
    """What a go.mod under infra/tools says: the program's package and its version without the v."""

    name: str
    folder: Path
    package: str
    version: str


def read(root: Path, name: str) -> Pin:
    """The pin of a tool. Raises `Failure` when its go.mod is missing or has no `tool` line."""
    folder = root / "infra" / "tools" / name
    doing = f"reading which {name} to build"
    try:
        text = (folder / "go.mod").read_text("utf-8")
    except OSError as error:
        raise Failure(doing, f"{folder / 'go.mod'}: {error.strerror}", f"git restore infra/tools/{name}") from error
    package = _TOOL.search(text)
    modules = {module: version for module, version in _REQUIRED.findall(text) if package and _holds(module, package[1])}
    if not package or not modules:
        raise Failure(
            doing, f"{folder / 'go.mod'} has no `tool` line with its requirement", f"go -C infra/tools/{name} get -tool PACKAGE@VERSION"
        )
    return Pin(name, folder, package[1], modules[max(modules, key=len)])


def _holds(module: str, package: str) -> bool:
    return package == module or package.startswith(module + "/")


def built(pin: Pin, spec: Spec, go_version: str) -> Path:
    """Where the built program is, or would be: the folder's name is a hash of everything that makes it."""
    digest = hashlib.sha256()
    for part in (
        *(_content(pin.folder / file) for file in ("go.mod", "go.sum")),
        go_version.encode(),
        repr(sorted(spec.build_env.items())).encode(),
    ):
        digest.update(len(part).to_bytes(8, "big") + part)
    return cache() / "tools" / f"{pin.name}-{digest.hexdigest()[:16]}" / pin.name


def _content(file: Path) -> bytes:
    return file.read_bytes() if file.exists() else b""


def tool(pin: Pin, spec: Spec, go: Tool) -> Tool:
    """The program, built if it is not there yet."""
    program = built(pin, spec, go.version)
    kept(program.parent, lambda aside: _build(pin, spec, go, aside), lambda: _starts(spec, program))
    return _tool(pin, program)


def present(pin: Pin, spec: Spec, go: Tool) -> Tool | None:
    """The program, where it is there already."""
    program = built(pin, spec, go.version)
    return _tool(pin, program) if whole(program.parent) or (unmarked(program.parent) and _starts(spec, program)) else None


def _starts(spec: Spec, program: Path) -> bool:
    return version_of((str(program),), spec.ask, program) is not None


def _tool(pin: Pin, program: Path) -> Tool:
    return Tool(pin.name, (str(program),), pin.version, f"built from infra/tools/{pin.name}")


def compiled(build: Command) -> None:
    """Run `go build`, giving way to others. Go asks for each module once: where a connection breaks off it runs again, with what has come.

    Raises `Failure` when it failed for another reason, or three times.
    """
    for seconds in (2, 10, 0):
        try:
            run(replace(build, argv=niced(*build.argv)))
            return
        except Failure as failure:
            if not seconds or not _BROKEN.search(failure.cause):
                raise
            print(f"{build.doing}: the connection broke off, once more in {seconds} s", file=sys.stderr, flush=True)
            time.sleep(seconds)


def _build(pin: Pin, spec: Spec, go: Tool, folder: Path) -> None:
    print(f"building {pin.name} {pin.version} (once, about {spec.seconds} s)", file=sys.stderr, flush=True)
    started = time.monotonic()
    compiled(
        Command(
            (*go.argv, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(folder / pin.name), pin.package),
            doing=f"building {pin.name} {pin.version}",
            env={**go.env, **spec.build_env, "CGO_ENABLED": "0"},
            cwd=pin.folder,
            remedy="Check that the Go module proxy (`go env GOPROXY`) is reachable and the disk has some gigabytes free; run it again.",
        )
    )
    print(f"built {pin.name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
