"""A session from its beginning to its end: timed and counted, compared with what it declares, and its pass kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ops.checks import ending, trace
from ops.checks.passes import Passes
from ops.checks.reads import Reads
from ops.checks.report import Report
from ops.errors import Failure


@dataclass(frozen=True, slots=True)
class Declared:
    """What a session says of itself.

    `tests`: it has some. `compared`: what it looks at is compared with what it `reads`; `traced`: by strace, too.
    `strict`: it fails where it has looked at more; otherwise its pass is not kept.
    """

    reads: Reads
    tests: bool = False
    traced: bool = False
    compared: bool = True
    strict: bool = True


@contextmanager
def attempt(
    name: str, declared: Declared, passes: Passes, *, report: Report, keep: bool, warn: Callable[[str], object]
) -> Iterator[trace.Trace]:
    """Run a session in this context. With `keep`, its pass is kept; `warn` is told why, where it is not.

    Raises `Failure` where a session of tests ran none, or a session has read what it does not declare.
    """
    before, why = None, ""
    try:
        before = passes.begin(name, declared.reads)
    except Failure as failure:
        why = f"{failure.cause}. {failure.remedy}"
    with trace.watching(passes.root, declared.traced) as seen:
        with report.session(name, declared.tests) as outcome:
            yield seen
            if ending.told():
                raise KeyboardInterrupt
        if before and declared.compared:
            try:
                trace.check(name, seen, before.snapshot, declared.reads)
            except Failure as failure:
                if declared.strict:
                    raise
                before, why = None, failure.cause
    if not keep:
        return
    if before:
        try:
            why = passes.end(before, declared.reads, outcome)
        except Failure as failure:
            why = failure.cause
    if why:
        warn(f"this pass is not kept: {why}")
