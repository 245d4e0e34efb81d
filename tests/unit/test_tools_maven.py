"""Java archives are what their lock names, or there are none; the machine's own settings say where they come from."""

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ops.errors import Failure
from ops.stores import kafka
from ops.tools import maven

HELD = {"/m/org/a/1/a-1.jar": b"one", "/m/org/b/2/b-2.jar": b"two"}


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """A repository that the settings of this user name, which fails the first time that it is asked for something."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if "/slow/" in self.path:
                time.sleep(0.3)
            status = 404 if self.path not in HELD else 503 if asked.count(self.path) == 1 else 200
            content = HELD[self.path] if status == 200 else b""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings(tmp_path, f"<mirror><mirrorOf>central</mirrorOf><url>http://127.0.0.1:{server.server_port}/m/</url></mirror>")
    monkeypatch.setenv("HOME", str(tmp_path))
    yield asked
    server.shutdown()
    server.server_close()


def settings(home: Path, mirrors: str) -> None:
    (home / ".m2").mkdir(exist_ok=True)
    text = f'<settings xmlns="http://maven.apache.org/SETTINGS/1.0.0"><mirrors>{mirrors}</mirrors></settings>'
    (home / ".m2" / "settings.xml").write_text(text)


def lock(folder: Path, *lines: tuple[bytes, str]) -> Path:
    file = folder / maven.LOCK
    file.write_text("# a comment\n" + "".join(f"{hashlib.sha256(content).hexdigest()}  {path}\n" for content, path in lines))
    return file


def test_every_archive_of_a_lock_comes_from_the_mirror_and_a_failure_that_passes_is_none(repository: list[str], tmp_path: Path) -> None:
    maven.fetch(lock(tmp_path, (b"one", "org/a/1/a-1.jar"), (b"two", "org/b/2/b-2.jar")), tmp_path / "jars", "Kafka")
    assert {file.name: file.read_bytes() for file in (tmp_path / "jars").iterdir()} == {"a-1.jar": b"one", "b-2.jar": b"two"}
    assert sorted(repository) == sorted([*HELD, *HELD])


@pytest.mark.parametrize(
    ("content", "path", "told"),
    [
        (b"other", "org/a/1/a-1.jar", "a-1.jar is not the archive that maven.lock names: its SHA-256 is another"),
        (b"one", "org/c/1/c-1.jar", "c-1.jar: the repository answers 404"),
    ],
)
def test_another_archive_and_one_that_is_not_there_are_refused(
    repository: list[str], tmp_path: Path, content: bytes, path: str, told: str
) -> None:
    with pytest.raises(Failure, match="fetching Kafka") as caught:
        maven.fetch(lock(tmp_path, (content, path)), tmp_path / "jars", "Kafka")
    assert caught.value.cause == told
    assert list((tmp_path / "jars").iterdir()) == []


def test_after_one_that_cannot_be_had_no_other_is_asked_for(repository: list[str], tmp_path: Path) -> None:
    many = [(b"one", f"org/slow/{number}/a-{number}.jar") for number in range(40)]
    with pytest.raises(Failure, match="the repository answers 404"):
        maven.fetch(lock(tmp_path, (b"one", "org/c/1/c-1.jar"), *many), tmp_path / "jars", "Kafka")
    assert len(repository) < len(many)


@pytest.mark.parametrize(
    ("mirrors", "expected"),
    [
        ("", maven.CENTRAL),
        ("<mirror><mirrorOf>*,!central</mirrorOf><url>http://x</url></mirror>", maven.CENTRAL),
        ("<mirror><mirrorOf>external:*</mirrorOf><url>http://x</url><blocked>true</blocked></mirror>", maven.CENTRAL),
        ("<mirror><mirrorOf>other</mirrorOf><url>http://x</url></mirror>", maven.CENTRAL),
        ("<mirror><mirrorOf>*</mirrorOf><url> https://x/maven2/ </url></mirror>", "https://x/maven2"),
    ],
)
def test_a_mirror_of_central_is_asked_and_no_other(tmp_path: Path, mirrors: str, expected: str) -> None:
    assert maven.repository(tmp_path) == maven.CENTRAL  # without settings
    settings(tmp_path, mirrors)
    assert maven.repository(tmp_path) == expected


def test_the_lock_of_kafka_names_each_archive_once_with_a_sha256() -> None:
    assert kafka.STORE.embedded
    found = list(maven.archives(kafka.STORE.embedded.program.locked.folder / maven.LOCK))
    assert all(len(bytes.fromhex(digest)) == 32 for digest, _ in found)
    names = [path.rpartition("/")[2] for _, path in found]
    assert len(set(names)) == len(names) > 40
    assert "kafka_2.13-4.3.1.jar" in names
