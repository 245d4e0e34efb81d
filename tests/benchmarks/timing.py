"""Times whole commands, the two sides in turn, so that a slow minute is slow for both."""

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

Side = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians in milliseconds, the median of the ratios of each pair, and the ratio of the fastest runs; and the ratio of the least
    processor times (user and system, of this process and of the programs that it waits for), which other work disturbs least."""

    name: str
    ours: float
    peer: float
    ratio: float
    least: float
    processor: float
    runs: int

    def row(self) -> tuple[str, str, str, str, str, str, str]:
        """The line of the table."""
        return (
            self.name,
            f"{self.ours:.0f}",
            f"{self.peer:.0f}",
            f"{self.ratio:.2f}",
            f"{self.least:.2f}",
            f"{self.processor:.2f}",
            str(self.runs),
        )


def command(argv: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None, codes: Sequence[int] = (0,)) -> Side:
    """A side that runs a command to its end; an exit code that is not in `codes` is an error, not a figure."""

    def run() -> None:
        done = subprocess.run(argv, env=env, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode not in codes:
            raise SystemExit(f"{' '.join(argv)} exited {done.returncode}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")

    return run


def compare(name: str, ours: Side, peer: Side, runs: int = 7) -> Compared:
    """Run both sides in turn, after one of each that does not count."""
    ours()
    peer()
    pairs = [(_timed(ours), _timed(peer)) for _ in range(runs)]
    return Compared(
        name,
        statistics.median(a.clock for a, _ in pairs),
        statistics.median(b.clock for _, b in pairs),
        statistics.median(a.clock / b.clock for a, b in pairs),
        min(a.clock for a, _ in pairs) / min(b.clock for _, b in pairs),
        min(a.processor for a, _ in pairs) / min(b.processor for _, b in pairs),
        runs,
    )


class _Took(NamedTuple):
    """What a run took, in milliseconds."""

    clock: float
    processor: float


def _timed(side: Side) -> _Took:
    begin, used = time.perf_counter(), _used()
    side()
    return _Took((time.perf_counter() - begin) * 1000, (_used() - used) * 1000)


def _used() -> float:
    """Processor seconds so far."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)
