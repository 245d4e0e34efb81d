"""Stores under load: what each has acknowledged, and what it has in the end."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ops.stores import programs as stores

ENOUGH = 60  # acknowledged writes of each store before it ends
STORES = ("postgres", "redis", "milvus")
# Two clients at once: what one worker hides is seen.
MILVUS = """
import sys, threading
from pymilvus import MilvusClient
uri, what, first = sys.argv[1:]
client = MilvusClient(uri)
if what == "read" and not client.has_collection("kept"):
    sys.exit()
if what in ("count", "read"):
    client.load_collection("kept")
    found = client.query("kept", filter="id >= 0", output_fields=["id"], limit=16384)
    print(*sorted(row["id"] for row in found))
else:
    if not client.has_collection("kept"):
        client.create_collection("kept", dimension=4, auto_id=False)
    lock = threading.Lock()
    def write(start):
        own = MilvusClient(uri)
        for n in range(start, start + 100000, 2):
            own.insert("kept", [{"id": n, "vector": [0.1, 0.2, 0.3, 0.4]}])
            with lock:
                print(n, flush=True)
    threads = [threading.Thread(target=write, args=(int(first) + i,), daemon=True) for i in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
"""


@dataclass
class Clients:
    """How the three stores are reached. `folder` is for what a client needs."""

    ports: dict[str, int]
    passwords: dict[str, str]
    user: str
    database: str
    folder: Path

    def postgres(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.ports["postgres"],
            user=self.user,
            password=self.passwords["postgres"],
            dbname=self.database,
            autocommit=True,
            connect_timeout=5,
        )

    def redis(self, *words: str, connection: socket.socket | None = None) -> bytes:
        own = connection or self.redis_connection()
        own.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
        return own.recv(1 << 20)

    def redis_connection(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.ports["redis"]), 5)
        assert self.redis("AUTH", self.passwords["redis"], connection=connection).startswith(b"+OK")
        return connection

    def members(self) -> set[int]:
        connection = self.redis_connection()
        with connection.makefile("rwb") as file:  # https://redis.io/docs/latest/develop/reference/protocol-spec
            file.write(b"*2\r\n$8\r\nSMEMBERS\r\n$4\r\nkept\r\n")
            file.flush()
            size = int(file.readline()[1:])
            return {int(file.readline()) for _ in range(size) if file.readline()}

    def milvus(self, what: str, first: int = 0) -> list[str]:
        folder = self.folder / "milvus-client.py"
        folder.write_text(MILVUS)
        python = str(stores.program("milvus"))
        return [python, str(folder), f"http://127.0.0.1:{self.ports['milvus']}", what, str(first)]


class Load:
    """Writers, one a store; what was acknowledged, and when (monotonic seconds)."""

    def __init__(self, clients: Clients, first: int = 0) -> None:
        self.clients = clients
        self.first = first  # what is written has this number and those after it
        self.acknowledged: dict[str, dict[int, float]] = {name: {} for name in STORES}
        self.ending = threading.Event()
        self.threads = [
            threading.Thread(target=self._until_it_breaks, args=(work,)) for work in (self._postgres, self._redis, self._milvus)
        ]
        self.client: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        if self.client:
            self.client.kill()
        for thread in self.threads:
            thread.join()

    def enough(self) -> None:
        deadline = time.monotonic() + 60
        while any(len(done) < ENOUGH for done in self.acknowledged.values()):
            assert time.monotonic() < deadline, {name: len(done) for name, done in self.acknowledged.items()}
            time.sleep(0.02)

    @staticmethod
    def _until_it_breaks(work: Callable[[], None]) -> None:
        with suppress(OSError, psycopg.Error):
            work()

    def _postgres(self) -> None:
        with self.clients.postgres() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
            for n in range(self.first, self.first + 100_000):
                if self.ending.is_set():
                    return
                connection.execute("INSERT INTO kept VALUES (%s)", (n,))
                self.acknowledged["postgres"][n] = time.monotonic()

    def _redis(self) -> None:
        connection = self.clients.redis_connection()
        for n in range(self.first, self.first + 1_000_000):
            if self.ending.is_set() or not self.clients.redis("SADD", "kept", str(n), connection=connection).startswith(b":1"):
                return
            self.acknowledged["redis"][n] = time.monotonic()

    def _milvus(self) -> None:
        self.client = subprocess.Popen(
            self.clients.milvus("write", self.first), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.client.stdout
        for line in self.client.stdout:
            self.acknowledged["milvus"][int(line)] = time.monotonic()


def stored(clients: Clients) -> dict[str, set[int]]:
    """What each store has."""
    with clients.postgres() as connection:
        rows = {row[0] for row in connection.execute("SELECT n FROM kept")}
    done = subprocess.run(clients.milvus("count"), capture_output=True, text=True, check=True, timeout=60)
    return {"postgres": rows, "redis": clients.members(), "milvus": {int(word) for word in done.stdout.split()}}


def lost(clients: Clients, load: Load) -> dict[str, int]:
    """How many acknowledged writes each store has not got."""
    found = stored(clients)
    return {name: len(done.keys() - found[name]) for name, done in load.acknowledged.items()}
