"""The end of a service's process, as its clients see it."""

import http.client
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SERVICE = """
from contextlib import asynccontextmanager
from pathlib import Path
from nextai_service_kit import serve

@asynccontextmanager
async def nothing(app):
    yield

serve.run(Path("contract.json"), lambda settings, version: serve.application("some-service", version, {}, nothing))
"""

CONTRACT = """{{"service": "some-service", "port": 1, "variables": [
  {{"name": "HOST", "type": "string", "required": false, "default": "127.0.0.1", {rest}}},
  {{"name": "PORT", "type": "port", "required": true, "default": null, {rest}}},
  {{"name": "LOG_LEVEL", "type": "string", "required": false, "default": "info", {rest}}},
  {{"name": "LOG_FORMAT", "type": "string", "required": false, "default": "json", {rest}}}]}}
""".format(rest='"secret": false, "minLength": null, "values": [], "description": "d"')


@contextmanager
def running(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service that listens, and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    (folder / "contract.json").write_text(CONTRACT)
    command = [sys.executable, "-c", SERVICE]
    with subprocess.Popen(command, cwd=folder, env={"PORT": str(port)}, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("Uvicorn running" in line for line in process.stdout)
            yield process, port
        finally:
            process.kill()


class KeptClient(threading.Thread):
    """Asks on one connection that it keeps and never looks at between two answers, as many clients do.

    It goes to the next port when an answer says that the connection ends.
    """

    def __init__(self, ports: list[int], done: threading.Event) -> None:
        super().__init__()
        self.ports, self.done = ports, done
        self.answers = 0  # of the last port
        self.at_work = threading.Event()
        self.lost = ""

    def run(self) -> None:
        """Ask until `done`, or until a request is lost."""
        try:
            for port in self.ports:
                self.answers = 0
                with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                    while not self.done.wait(0.005):
                        connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                        answer = http.client.HTTPResponse(connection)
                        answer.begin()
                        answer.read()
                        self.answers += 1
                        self.at_work.set()
                        if answer.will_close:
                            break
        except (OSError, http.client.HTTPException) as error:
            self.lost = f"a request was lost after {self.answers} answers: {error}"


def test_no_request_on_a_kept_connection_is_lost_when_the_service_ends(tmp_path: Path) -> None:
    done = threading.Event()
    with running(tmp_path) as (first, port), running(tmp_path) as (_, other):
        clients = [KeptClient([port, other], done) for _ in range(20)]
        for client in clients:
            client.start()
        assert all(client.at_work.wait(10) for client in clients)
        first.send_signal(signal.SIGTERM)
        assert first.wait(timeout=15) == 0
        done.set()
        for client in clients:
            client.join()
        assert [client.lost for client in clients if client.lost] == []
        assert all(client.answers for client in clients)
