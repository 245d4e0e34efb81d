"""Whether a process of the embedded engine is ready: asked in the way that its users ask it."""

import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from ops.errors import cause_of

# Seconds between two questions: a service writes a line at each that it must answer with no.
SHORTEST, GROWTH, LONGEST = 0.05, 1.3, 0.5
_LONGEST_ANSWER = 4096  # bytes
_SECONDS_OF_A_PROGRAM = 30  # one that starts slowly on a busy machine; those that ask have shorter limits of their own
_REST = 0.5  # seconds in which the rest of an answer follows its beginning


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask: exit (a job: it must end with 0), tcp, command (exits 0), http (answers 200).

    tcp: something accepts on the port; where something is sent, its answer has what is expected.
    """

    how: Literal["exit", "tcp", "command", "http"] = "exit"
    port: int = 0
    url: str = ""
    argv: tuple[str, ...] = ()
    sends: str = ""  # it may hold a password: a Probe is never printed
    expects: str = ""

    def __repr__(self) -> str:
        return f"Probe({self.how}, {self.url or self.port})"


def ask(probe: Probe, env: Mapping[str, str]) -> str:
    """Ask once: the empty string when it is ready, else what is wrong."""
    try:
        match probe.how:
            case "exit":
                return "still running"
            case "tcp":
                return _tcp(probe)
            case "command":
                done = subprocess.run(probe.argv, env=dict(env), capture_output=True, check=False, timeout=_SECONDS_OF_A_PROGRAM)
                return "" if done.returncode == 0 else f"{probe.argv[0]} exits {done.returncode}"
            case "http":
                return _http(probe.url)
    except (OSError, subprocess.TimeoutExpired, http.client.HTTPException) as error:
        return cause_of(error) or type(error).__name__


def _http(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return "" if answer.status == 200 else f"{parts.path} answers {answer.status}: {answer.read(300).decode('utf-8', 'replace')}"
    finally:
        connection.close()


def _tcp(probe: Probe) -> str:
    with socket.create_connection(("127.0.0.1", probe.port), 2) as connection:
        if not probe.sends:
            return ""
        connection.settimeout(2)
        connection.sendall(probe.sends.encode())
        answer, expected = b"", probe.expects.encode()
        with contextlib.suppress(TimeoutError):
            while expected not in answer and len(answer) < _LONGEST_ANSWER and (part := connection.recv(256)):
                answer += part
                connection.settimeout(_REST)
    return "" if expected in answer else answer.decode("utf-8", "replace").strip() or "no answer"


def wait(probe: Probe, env: Mapping[str, str], gone: Callable[[], bool], seconds: float) -> str:
    """Ask until it is ready (the empty string), or `gone()`, or `seconds` are over: then what was wrong the last time."""
    deadline, pause = time.monotonic() + seconds, SHORTEST
    while True:
        trouble = ask(probe, env)
        if not trouble or gone() or time.monotonic() > deadline:
            return trouble
        time.sleep(pause)
        pause = min(pause * GROWTH, LONGEST)
