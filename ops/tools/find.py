"""Find a program: a fitting one on PATH first, then the wheel's, then fetched or built once."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from ops.errors import Failure, UsageError
from ops.tools import browser, gomodule, pnpm
from ops.tools.table import TABLE, Found, Missing, Origin, Spec, Tool
from ops.tools.versions import version_of

ROOT = Path(__file__).resolve().parents[2]


def names() -> tuple[str, ...]:
    """Every program of the table."""
    return tuple(TABLE)


def find(name: str) -> Tool:
    """The program, ready to run; fetched or built on first need, with a line on stderr that says so.

    Raises `UsageError` for a name that is not in the table, `Failure` with the remedy when it cannot be had.
    """
    spec = _spec(name)
    if tool := here(name):
        return tool
    match spec.origin:
        case "go-module":
            return gomodule.tool(gomodule.read(ROOT, name), spec, find("go"))
        case "pnpm":
            return pnpm.tool(pnpm.wanted(ROOT), find("node"), find("npm"))
        case "browser":
            browser.install()
            if tool := here(name):
                return tool
    raise Failure(f"looking for {name}", _why_not(spec), spec.remedy)


def here(name: str) -> Tool | None:
    """The program if it is on this machine already; nothing is fetched or built."""
    spec = _spec(name)
    return _LOOK[spec.origin](spec)


def survey() -> tuple[Found | Missing, ...]:
    """Every program's state, for `invoke doctor`: nothing is fetched or built."""
    rows: list[Found | Missing] = []
    for name, spec in TABLE.items():
        try:
            tool = here(name)
        except Failure as failure:
            rows.append(Missing(name, failure.cause, failure.remedy))
            continue
        fetched = spec.origin in ("go-module", "pnpm", "browser")
        remedy = "Nothing to do: it is fetched or built when a verb first needs it." if fetched else spec.remedy
        rows.append(Found(tool) if tool else Missing(name, _why_not(spec), remedy, later=fetched or _not_installed(spec)))
    return tuple(rows)


def _spec(name: str) -> Spec:
    if name not in TABLE:
        raise UsageError("looking for a program", f"there is no {name!r} in the table", f"One of: {', '.join(TABLE)}.")
    return TABLE[name]


def on_path(spec: Spec) -> Tool | None:
    """A fitting program on PATH that no wheel put there."""
    for program in _candidates(spec):
        if not (spec.inside and _is_wrapper(program)) and (tool := _at(spec, program, "PATH")):
            return tool
    return None


def _is_wrapper(program: Path) -> bool:
    """Whether a wheel put it beside an interpreter, this one's or another environment's on PATH. `_in_wheel` finds the real program."""
    return program.parent == Path(sys.executable).parent or os.path.isfile(program.parent.parent / "pyvenv.cfg")  # noqa: PTH113


def _candidates(spec: Spec) -> Iterator[Path]:
    for folder in (*os.environ.get("PATH", "").split(os.pathsep), *spec.places):
        for program in spec.programs or (spec.name,):
            path = os.path.join(folder, program)  # noqa: PTH118
            # Not Path.is_file: behind a folder that may not be read it raises, and there is simply no program for us.
            if folder and os.path.isfile(path) and os.access(path, os.X_OK):  # noqa: PTH113
                yield Path(path)


def _at(spec: Spec, program: Path, origin: str, env: Mapping[str, str] | None = None) -> Tool | None:
    version = version_of((str(program),), spec.ask, program)
    if version is None or not spec.fits(version):
        return None
    return Tool(spec.name, (str(program),), version, origin, env or _environment(spec, program))


def _environment(spec: Spec, program: Path) -> dict[str, str]:
    if spec.name not in ("node", "go"):
        return dict(spec.env)
    # What the program starts by name (npm scripts start node, go starts gofmt) must be of the same version.
    return {**spec.env, "PATH": os.pathsep.join((str(program.parent), os.environ.get("PATH", "/usr/bin:/bin")))}


def _in_wheel(spec: Spec) -> Tool | None:
    if spec.inside is None:
        return _at(spec, Path(sys.executable).parent / spec.name, "wheel")
    package, path = spec.inside
    found = find_spec(package)
    for folder in (found.submodule_search_locations or ()) if found else ():
        if tool := _at(spec, Path(folder) / path, "wheel"):
            return tool
    return None


def _npm(spec: Spec) -> Tool | None:
    # npm is a script: it must be run by the very node that was found, whatever `node` is on PATH.
    node = here("node")
    if node is None:
        return None
    beside = Path(node.argv[0]).parent
    for script in (beside.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", beside / "npm"):
        if version := version_of((*node.argv, str(script)), spec.ask, script):
            return Tool("npm", (*node.argv, str(script)), version, node.origin, node.env)
    return None


def _plugin(spec: Spec) -> Tool | None:
    docker = here("docker")
    if docker is None:
        return None
    argv = (*docker.argv, spec.name)
    # Which plugins there are depends on DOCKER_CONFIG, so the answer is not remembered.
    version = version_of(argv, spec.ask, Path(docker.argv[0]), remember=False)
    return Tool(spec.name, argv, version, "docker plugin") if version and spec.fits(version) else None


def _wheel(spec: Spec) -> Tool | None:
    return _npm(spec) if spec.name == "npm" else on_path(spec) or _in_wheel(spec)


def _workspace(spec: Spec) -> Tool | None:
    return _at(spec, ROOT / "node_modules" / ".bin" / spec.name, "node_modules", find("node").env)


def _browser(spec: Spec) -> Tool | None:
    return on_path(spec) or browser.fetched(spec)


def _pnpm_here(_: Spec) -> Tool | None:
    node = here("node")
    return pnpm.present(pnpm.wanted(ROOT), node) if node else None


def _go_module_here(spec: Spec) -> Tool | None:
    pin = gomodule.read(ROOT, spec.name)
    for program in _candidates(spec):
        # The pinned minor version: another one may render or judge differently.
        version = version_of((str(program),), spec.ask, program)
        if version and version.split(".")[:2] == pin.version.split(".")[:2]:
            return Tool(spec.name, (str(program),), version, "PATH")
    go = here("go")
    return gomodule.present(pin, spec, go) if go else None


def _not_installed(spec: Spec) -> bool:
    """Whether it comes with the workspace's packages, and nobody has installed those yet, as on a fresh clone."""
    return spec.origin == "workspace" and not (ROOT / "node_modules" / ".modules.yaml").exists()


def _why_not(spec: Spec) -> str:
    if _not_installed(spec):
        return "it is not installed yet: `invoke up` or `pnpm install` brings it"
    if spec.origin in ("go-module", "pnpm", "browser"):
        return "it is not built or fetched yet"
    others = [f"{path} ({version_of((str(path),), spec.ask, path) or 'does not start'})" for path in _candidates(spec)]
    if not others:
        return f"it is not on this machine ({spec.wanted} is wanted)"
    return f"no fitting version ({spec.wanted}); there is {', '.join(others)}"


_LOOK: Mapping[Origin, Callable[[Spec], Tool | None]] = {
    "machine": on_path,
    "wheel": _wheel,
    "go-module": _go_module_here,
    "workspace": _workspace,
    "pnpm": _pnpm_here,
    "browser": _browser,
    "plugin": _plugin,
}
