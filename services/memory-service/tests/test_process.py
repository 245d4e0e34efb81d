"""The service as a process: what it says when it cannot start, how it ends, and that it writes nothing to disk."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
from nextai_service_kit.testing import free_port

SERVICE = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "memory_service"]


def test_missing_variables_are_named_in_one_line() -> None:
    done = subprocess.run(
        COMMAND, cwd=SERVICE, env={"MILVUS_PORT": "http", "LOG_LEVEL": "loud"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "memory-service: cannot start: LOG_LEVEL must be one of debug, info, warn, error; "
        "MILVUS_HOST is required (Address of Milvus); MILVUS_PORT must be a port number, 1 to 65535\n"
    )


@contextmanager
def running(milvus: tuple[str, int], home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """The service with a home folder that cannot be written, from when it listens and has reached Milvus."""
    environment = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "MILVUS_HOST": milvus[0],
        "MILVUS_PORT": str(milvus[1]),
        "HOME": str(home),
        "APP_VERSION": "4.5.6",
    }
    with subprocess.Popen(COMMAND, cwd=SERVICE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            # Milvus's client takes its time to be imported, so the service listens before it is ready.
            seen: set[str] = set()
            for line in process.stdout:
                seen |= {word for word in ("Uvicorn running", "connected to Milvus") if word in line}
                if len(seen) == 2:
                    break
            yield process
        finally:
            process.kill()


def healthcheck(port: int, *path: str) -> int:
    command = [sys.executable, "-m", "nextai_service_kit.healthcheck", *path]
    return subprocess.run(command, cwd=SERVICE, env={**os.environ, "PORT": str(port)}, check=False, capture_output=True).returncode


def test_it_serves_logs_lines_of_json_and_ends_cleanly(milvus: tuple[str, int], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o500)
    port, user = free_port(), str(uuid4())
    with running(milvus, home, port) as process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
        assert http.get("/health").json()["version"] == "4.5.6"
        assert healthcheck(port) == 0
        assert healthcheck(port, "/nothing") == 1
        headers = {"X-User-Id": user, "X-Request-Id": "the-request-1"}
        made = http.post("/memories", json={"text": "process test"}, headers=headers)
        assert made.status_code == 201
        assert made.headers.get_list("X-Request-Id") == ["the-request-1"]
        assert "server" not in made.headers
        http.delete(f"/memories/{made.json()['id']}", headers=headers)
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait(timeout=15) == 0
    assert all({"time", "level", "msg", "service"} <= line.keys() and line["service"] == "memory-service" for line in lines)
    (request,) = [line for line in lines if line["msg"] == "request" and line["method"] == "POST"]
    assert (request["requestId"], request["status"], request["path"], request["level"]) == ("the-request-1", 201, "/memories", "info")
    assert list(home.iterdir()) == []
    assert healthcheck(port) == 1
