"""Times whole commands, the two sides in turn, so that a slow minute is slow for both."""

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Side = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians in milliseconds, the median of the ratios of each pair, and the ratio of the fastest runs."""

    name: str
    ours: float
    peer: float
    ratio: float
    least: float
    runs: int

    def row(self) -> tuple[str, str, str, str, str, str]:
        """The line of the table."""
        return (self.name, f"{self.ours:.0f}", f"{self.peer:.0f}", f"{self.ratio:.2f}", f"{self.least:.2f}", str(self.runs))


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
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
        min(a for a, _ in pairs) / min(b for _, b in pairs),
        runs,
    )


def _timed(side: Side) -> float:
    begin = time.perf_counter()
    side()
    return (time.perf_counter() - begin) * 1000
