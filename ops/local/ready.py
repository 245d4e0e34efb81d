"""Whether a process of the embedded engine is ready: asked in the way that its users ask it."""

import http.client
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

# Seconds between two questions: a service writes a line at each that it must answer with no.
SHORTEST, GROWTH, LONGEST = 0.05, 1.3, 0.5


@dataclass(frozen=True, slots=True)
class Probe:
    """How to ask: exit (a job: it must end with 0), tcp (something accepts), command (exits 0), http (answers 200), redis (PONG)."""

    how: Literal["exit", "tcp", "command", "http", "redis"] = "exit"
    port: int = 0
    url: str = ""
    argv: tuple[str, ...] = ()
    password: str = ""  # never printed: a Probe lives inside a Process

    def __repr__(self) -> str:
        return f"Probe({self.how}, {self.url or self.port})"


def ask(probe: Probe, env: Mapping[str, str]) -> str:
    """Ask once: the empty string when it is ready, else what is wrong."""
    try:
        match probe.how:
            case "exit":
                return "still running"
            case "tcp":
                socket.create_connection(("127.0.0.1", probe.port), 2).close()
                return ""
            case "command":
                done = subprocess.run(probe.argv, env=dict(env), capture_output=True, check=False, timeout=5)
                return "" if done.returncode == 0 else f"{probe.argv[0]} exits {done.returncode}"
            case "http":
                return _http(probe.url)
            case "redis":
                return _redis(probe.port, probe.password)
    except (OSError, subprocess.TimeoutExpired, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"


def _http(url: str) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return "" if answer.status == 200 else f"{parts.path} answers {answer.status}: {answer.read(300).decode('utf-8', 'replace')}"
    finally:
        connection.close()


def _redis(port: int, password: str) -> str:
    # https://redis.io/docs/latest/develop/reference/protocol-spec: two commands of the plain text protocol.
    with socket.create_connection(("127.0.0.1", port), 2) as connection:
        connection.settimeout(2)
        secret = password.encode()
        login = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(secret), secret) if secret else b""
        connection.sendall(login + b"*1\r\n$4\r\nPING\r\n")
        answer = b""
        while not answer.endswith((b"+PONG\r\n",)) and not answer.startswith(b"-") and (part := connection.recv(256)):
            answer += part
    return "" if answer.endswith(b"+PONG\r\n") else answer.decode("utf-8", "replace").strip() or "no answer"


def wait(probe: Probe, env: Mapping[str, str], gone: Callable[[], bool], seconds: float) -> str:
    """Ask until it is ready (the empty string), or `gone()`, or `seconds` are over: then what was wrong the last time."""
    deadline, pause = time.monotonic() + seconds, SHORTEST
    while True:
        trouble = ask(probe, env)
        if not trouble or gone() or time.monotonic() > deadline:
            return trouble
        time.sleep(pause)
        pause = min(pause * GROWTH, LONGEST)
