"""`status`, `history`, `logs`, `shell`: looking after what runs."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ops.catalog import load
from ops.cluster import record, show
from ops.console import emit_json, emit_line, has_reader, machine_readable, say, table
from ops.errors import Exit, UsageError
from ops.verbs.target import connected, is_here

if TYPE_CHECKING:
    from ops.cluster.status import EnvironmentStatus
    from ops.cluster.target import Target


def status(env: str, *, testbed: bool) -> int:
    """Each workload: wanted, ready, digest, restarts, why it is not ready; and what else is not as it was deployed. Exit 1 then."""
    from ops.cluster.status import status as look

    catalog = load()
    if is_here(catalog, env, testbed):
        from ops.verbs import local

        return local.status(catalog)
    with connected(env, testbed, catalog) as (catalog, client, target):
        found = look(catalog, client)
    if machine_readable():
        emit_json({"environment": env, **show.status_document(found)})
    else:
        show_status(found, target)
    return Exit.DONE if found.well else Exit.FAILED


def show_status(found: "EnvironmentStatus", target: "Target") -> None:
    """A status for people."""
    say(f"{target}: {show.last_line(found.last)}")
    if found.rows:
        table(("kind", "name", "ready", "restarts", "age", "image", "why not ready"), show.status_rows(found.rows))
    for row in found.rows:
        for line in row.log:
            say(f"{row.name} | {line}")
    for line in show.status_lines(found, target.flags):
        say(line)


def logs(service: str, env: str, *, testbed: bool, follow: bool, tail: int, since: str) -> int:
    """The lines of all pods of a service, each with its pod's name."""
    from ops.cluster.loglines import LogSelection
    from ops.cluster.logs import read

    if tail < 0:
        raise UsageError("reading --tail", f"{tail} is no number of lines", "Write 0 or more.")
    catalog = load()
    if is_here(catalog, env, testbed):
        from ops.verbs import local

        if since:
            raise UsageError("reading --since", "lines are not kept by their time on this machine", "Leave it out; --tail says how many.")
        return local.logs(catalog, service, follow=follow, tail=tail)
    wanted = LogSelection(tail, _seconds(since) if since else None, follow)
    with connected(env, testbed, catalog) as (catalog, client, _):
        for line in read(catalog, client, service, wanted):
            if machine_readable():
                emit_line(asdict(line))
            else:
                say(f"{line.pod} | {line.text}")
            if not has_reader():
                break
    return Exit.DONE


def history(env: str, *, testbed: bool) -> int:
    """The records, the newest first."""
    with connected(env, testbed) as (catalog, client, target):
        headers = record.history(client, catalog.namespaces[0])
    show_history(headers, target)
    if machine_readable():
        emit_json({"environment": env, "records": [asdict(header) for header in headers]})
    return Exit.DONE


def show_history(headers: Sequence[record.Header], target: "Target") -> None:
    """A history for people."""
    if not headers:
        say(f"Nothing has been deployed to {target}.")
    else:
        table(("record", "what", "outcome", "started", "commit", "version", "who", "cause"), show.history_rows(headers))


def shell(service: str, env: str, *, testbed: bool, image: str) -> int:
    """A shell in a debug container beside a running pod, which shares its processes and network."""
    from ops.cluster.shell import attach, open_shell

    with connected(env, testbed) as (catalog, client, target):
        ready = open_shell(catalog, client, service, image)
    say(f"Debug container {ready.container} beside {ready.pod}; it ends with the shell, and leaves with the pod.")
    if sys.stdin.isatty():
        say("Press Enter if no prompt is shown.")
    return attach(target, ready)


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(text: str) -> int:
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or unit not in _UNITS:
        raise UsageError("reading --since", f"{text!r} is no duration", "Write 30s, 10m, 2h or 1d.")
    return int(number) * _UNITS[unit]
