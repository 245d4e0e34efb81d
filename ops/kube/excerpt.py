"""Which of a container's lines show why it failed: the last ones, and the first line about an error where it is above them."""

import re
from collections.abc import Sequence
from typing import Final

from ops.errors import Failure
from ops.kube.client import Client
from ops.kube.readiness import LogOf

TAIL: Final = 12
_HEAD = 4  # the first line of an error, and what belongs to it
_READ = 400
_LONGEST = 500
# A runtime's own words for an error (Node, Python, Java, Go), a structured log's level; then words that may be one.
_ERROR = (
    re.compile(r'\w*(Error|Exception)\b|\bpanic:|\bTraceback |\b(FATAL|CRITICAL|fatal)\b|"level":\s*("(error|fatal)"|[56]0\b)'),
    re.compile(r"\b(error|cannot|can't|could not|unable|failed|refused|denied|no such|not found|invalid|missing)\b", re.IGNORECASE),
)


def excerpt(client: Client, log: LogOf) -> list[str]:
    """The lines of a container that tell why; none when the log is gone."""
    return shortened(last_lines(client, log, _READ))


def last_lines(client: Client, log: LogOf, count: int) -> list[str]:
    """The last lines that a container wrote; none when the log is gone."""
    path = f"/api/v1/namespaces/{log.namespace}/pods/{log.pod}/log"
    query = {"container": log.container, "tailLines": str(count)} | ({"previous": "true"} if log.previous else {})
    try:
        lines = client.read_text(path, query).splitlines()[-count:]
    except Failure:
        return []
    return [line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…" for line in lines if line.strip()]


def shortened(lines: Sequence[str]) -> list[str]:
    """The last 12 lines; and before them the first error, whose stack may be longer than that."""
    above, tail = lines[:-TAIL], list(lines[-TAIL:])
    first = next((n for words in _ERROR for n, line in enumerate(above) if words.search(line)), None)
    if first is None:
        return tail
    end = min(first + _HEAD, len(above))
    gap = [f"… {len(above) - end} more lines …"] if end < len(above) else []
    return [*above[first:end], *gap, *tail]
