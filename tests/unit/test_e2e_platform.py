"""Which platform the page's tests run on: one of their own, or the one that is named."""

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.config import local as config
from tests.e2e import running as e2e


class Somebody(BaseHTTPRequestHandler):
    """A platform's page, as far as it is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"service": "web"}).encode())

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def somebodys() -> Iterator[str]:
    """The address of a platform that somebody runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Somebody)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Each `up` and `down` with the state folder that it was for. The developer's own is `mine`, the tests' own is `e2e`."""
    calls: list[tuple[str, str]] = []
    monkeypatch.delenv("E2E_BASE_URL", raising=False)
    monkeypatch.setenv("NEXTAI_STATE", str(tmp_path / "mine"))
    monkeypatch.setattr(e2e, "STATE", tmp_path / "e2e")
    monkeypatch.setattr("ops.verbs.up.up", lambda *_, **__: calls.append(("up", Path(os.environ["NEXTAI_STATE"]).name)))
    monkeypatch.setattr("ops.verbs.up.down", lambda *_, **__: calls.append(("down", Path(os.environ["NEXTAI_STATE"]).name)))
    return calls


def test_a_platform_that_somebody_runs_is_neither_used_nor_ended(
    somebodys: str, done: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "page", lambda _: somebodys)
    words = rf"one answers at {somebodys} already(?s:.*)`invoke down` there.*E2E_BASE_URL"
    with pytest.raises(pytest.fail.Exception, match=words), e2e.platform_url():
        pass
    assert {where for _, where in done} == {"e2e"}
    assert "up" not in {what for what, _ in done}


def test_the_tests_platform_is_empty_and_shares_nothing_but_what_was_built(
    done: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(config, "page", lambda _: "http://127.0.0.1:1")
    (tmp_path / "e2e" / "data").mkdir(parents=True)
    with e2e.platform_url() as url:
        assert url == "http://127.0.0.1:1"
        assert [path.name for path in (tmp_path / "e2e").iterdir()] == ["build"]
        assert (tmp_path / "e2e" / "build").resolve() == tmp_path / "mine" / "build"
    assert done == [("down", "e2e"), ("up", "e2e"), ("down", "e2e")]
    assert os.environ["NEXTAI_STATE"] == str(tmp_path / "mine")


def test_the_platform_that_is_named_is_taken_as_it_is(done: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("E2E_BASE_URL", "https://staging.example.com/")
    with e2e.platform_url() as url:
        assert url == "https://staging.example.com"
    assert done == []
