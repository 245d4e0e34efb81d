"""What an image needs of a Go module's `go.sum`: the hashes of the modules that `go.mod` requires.

From Go 1.17 on, `go.mod` names every module that gives a package to the build, and Go asks for no other where all packages are found
(https://go.dev/ref/mod#graph-pruning). The lines of others come from tests of dependencies and from versions that were left behind.
"""

import re
from collections.abc import Callable

MODULE, SUMS = "go.mod", "go.sum"
Read = Callable[[str], str | None]
_PRUNED = (1, 17)
_GO = re.compile(r"^go (\d+)\.(\d+)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^([a-z]+)\b", re.MULTILINE)
_REQUIRED = re.compile(r"^(?:require\s+|\s+)([^\s()]+\.[^\s()]+)\s+(v[^\s]+)", re.MULTILINE)
_OURS = re.compile(r"^replace \S+ => \.\.?/\S+\n", re.MULTILINE)  # a module of this checkout, which has no lines in go.sum
_SUM = re.compile(r"(\S+) (v\S+?)(/go\.mod)? h1:\S+")


def parts(folder: str, read: Read) -> dict[str, str]:
    """The text that takes the place of a module's own `go.sum`, by its path; nothing where there is none."""
    module, sums = (read(f"{folder}/{name}") for name in (MODULE, SUMS))
    return {f"{folder}/{SUMS}": cut(module, sums)} if module is not None and sums is not None else {}


def cut(module: str, sums: str) -> str:
    """The lines of `go.sum` whose module and version `go.mod` requires.

    What is not understood, or puts another module in the place of one, stays whole.
    """
    module = _OURS.sub("", module)
    version = _GO.search(module)
    if version is None or (int(version[1]), int(version[2])) < _PRUNED:
        return sums
    if not {*_DIRECTIVE.findall(module)} <= {"module", "go", "toolchain", "require"}:
        return sums
    required = {*_REQUIRED.findall(module)}
    found = [_SUM.fullmatch(line) for line in sums.splitlines()]
    if not all(found):
        return sums
    return "".join(f"{line[0]}\n" for line in found if line and (line[1], line[2]) in required)
