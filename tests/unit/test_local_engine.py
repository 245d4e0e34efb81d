"""Which Docker Engine there is: one rule for all who ask it, and what is too old is told with what was found and what is wanted."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from docker import DockerClient
from docker.errors import APIError, NotFound
from requests import ConnectionError as Unreachable

from ops import catalog as catalogue
from ops.engine import connection
from ops.errors import Failure
from ops.images import BuildEngine
from ops.images.engine import connect
from ops.local import composecontainers, composefile, facts
from ops.local.state import State

CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


@pytest.fixture(autouse=True)
def client_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The docker client's folder, with a context "far" that is reached by TLS; none is chosen."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "docker"
    key = hashlib.sha256(b"far").hexdigest()
    meta, tls = folder / "contexts" / "meta" / key, folder / "contexts" / "tls" / key / "docker"
    for made in (meta, tls):
        made.mkdir(parents=True)
    endpoint = {"Host": "tcp://far:2376", "SkipTLSVerify": False}
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Metadata": {}, "Endpoints": {"docker": endpoint}}))
    for file in CERTIFICATES:
        (tls / file).touch()
    (folder / "config.json").write_text("{}")
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder


def test_docker_host_is_reached_with_the_certificates_of_its_variables(tmp_path: Path) -> None:
    for file in CERTIFICATES:
        (tmp_path / file).touch()
    environ = {"DOCKER_HOST": "tcp://near:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path), "DOCKER_CONTEXT": "far"}
    found = connection(environ)
    assert found["base_url"] == "tcp://near:2376"
    assert found["tls"] and found["tls"].cert == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    assert found["tls"].verify is True


@pytest.mark.parametrize("chosen_by", ["DOCKER_CONTEXT", "config.json"])
def test_a_context_is_reached_with_its_certificates(client_folder: Path, chosen_by: str) -> None:
    assert connection({}) == {"base_url": "unix:///var/run/docker.sock", "tls": False}
    if chosen_by == "config.json":
        (client_folder / "config.json").write_text('{"currentContext": "far"}')
    found = connection({"DOCKER_CONTEXT": "far"} if chosen_by == "DOCKER_CONTEXT" else {})
    assert found["base_url"] == "tcp://far:2376"
    assert found["tls"] and found["tls"].cert and found["tls"].cert[0].endswith("/docker/cert.pem")
    assert found["tls"].verify is True


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"DOCKER_CONTEXT": "nowhere"}, "DOCKER_CONTEXT=nowhere: it is not there"),
        ({"DOCKER_HOST": "ssh://near"}, "the engine at ssh://near is reached by ssh, which is not supported here"),
        ({"DOCKER_HOST": "tcp://near:2376", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/none"}, "the certificates for DOCKER_HOST="),
    ],
)
def test_what_the_client_would_refuse_is_told_by_everyone(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], said: str) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert said in facts.docker().trouble
    with pytest.raises(Failure) as caught:
        connect(BuildEngine())
    assert said in caught.value.cause
    with pytest.raises(Failure) as caught, composecontainers.client():
        pass
    assert said in caught.value.cause


def test_an_engine_behind_ssh_is_refused_with_the_remedy(client_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (meta,) = (client_folder / "contexts" / "meta").glob("*/meta.json")
    meta.write_text(meta.read_text().replace("tcp://far:2376", "ssh://me@far"))
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    assert facts.choose(None) == facts.Choice("embedded", "the engine at ssh://me@far is reached by ssh, which is not supported here")
    with pytest.raises(Failure, match="ssh://me@far is reached by ssh") as caught:
        facts.choose("compose")
    assert "at tcp:// or unix://" in caught.value.remedy
    assert "`invoke up --engine embedded`" in caught.value.remedy


def test_everyone_asks_the_engine_of_the_context(client_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (meta,) = (client_folder / "contexts" / "meta").glob("*/meta.json")
    meta.write_text(meta.read_text().replace("tcp://far:2376", f"unix://{tmp_path}/none.sock"))
    monkeypatch.setenv("DOCKER_CONTEXT", "far")
    assert f"unix://{tmp_path}/none.sock" in facts.docker().trouble
    with pytest.raises(Failure, match=f"unix://{tmp_path}/none.sock does not answer"):
        connect(BuildEngine())
    with pytest.raises(Failure, match=f"unix://{tmp_path}/none.sock stopped answering"), composecontainers.client():
        pass
    with pytest.raises(Failure, match=f"unix://{tmp_path}/testbed.sock does not answer"):
        connect(BuildEngine(f"unix://{tmp_path}/testbed.sock"))


def test_an_engine_that_is_too_old_for_the_document_is_told_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "start_interval" in composefile._CHECK
    monkeypatch.setattr(facts, "here", lambda _: True)
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer("24.0.9", "unix:///x", api="1.43"))
    choice = facts.choose(None)
    assert (choice.engine, choice.why) == (
        "embedded",
        "Docker Engine 24.0.9 at unix:///x is too old: its API is 1.43, and 1.44 (Docker 25) is wanted",
    )
    with pytest.raises(Failure, match=r"Docker Engine 24\.0\.9 .* is too old") as caught:
        facts.choose("compose")
    assert caught.value.remedy == "Start or update Docker, or use `--engine embedded`."
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer("29.1.0", "unix:///x", api="1.52"))
    assert facts.choose(None).engine == facts.choose("compose").engine == "compose"


@pytest.mark.parametrize(
    ("client", "plugin", "said"),
    [
        ("28.0.1", "2.20.2", "the docker client has compose plugin 2.20.2 (≥ 2.30 is wanted)"),
        ("28.0.1", "", "the docker client has no compose plugin (≥ 2.30 is wanted)"),
        ("20.10.5", "2.40.0", "the docker client: no fitting version (≥ 24); there is "),
        ("", "", "the docker client: it is not on this machine (≥ 24 is wanted)"),
        ("28.0.1", "2.40.0", ""),
    ],
)
def test_a_client_or_plugin_that_is_too_old_is_told_from_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str, plugin: str, said: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    if client:
        answer = f"echo {plugin}" if plugin else "exit 1"
        (programs / "docker").write_text(f'#!/bin/sh\nif [ "$1" = compose ]; then {answer}; else echo Docker version {client}; fi\n')
        (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer("29.1.0", "unix:///x", api="1.52"))
    choice = facts.choose(None)
    assert choice.engine == ("embedded" if said else "compose")
    assert said in choice.why
    if client == "20.10.5":
        assert f"{programs}/docker (20.10.5)" in choice.why


def answer(kind: type[APIError], status: int, explanation: str) -> APIError:
    return kind("told", SimpleNamespace(status_code=status, url="/x", reason="y"), explanation)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (answer(APIError, 500, "no space left"), "answers: no space left"),
        (answer(NotFound, 404, "no such container"), "answers: no such container"),
        (Unreachable("refused"), "stopped answering (ConnectionError)"),
    ],
)
def test_an_engine_that_answers_with_an_error_is_told_from_one_that_is_gone(
    monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    monkeypatch.setattr("docker.DockerClient", lambda **_: SimpleNamespace(close=lambda: None))
    with pytest.raises(Failure) as caught, composecontainers.client():
        raise error
    assert said in caught.value.cause


def test_a_container_that_goes_while_all_are_listed_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    client = DockerClient(base_url="tcp://127.0.0.1:1", version="1.44")

    def inspect(name: str) -> dict[str, object]:
        if name == "gone":
            raise NotFound("no such container")
        labels = {"com.docker.compose.service": "redis"}
        return {"Id": name, "Config": {"Labels": labels}, "State": {"Status": "running", "ExitCode": 0}}

    monkeypatch.setattr(client.api, "containers", lambda **_: [{"Id": "gone"}, {"Id": "there"}])
    monkeypatch.setattr(client.api, "inspect_container", inspect)
    monkeypatch.setattr("docker.DockerClient", lambda **_: client)
    monkeypatch.setattr(facts, "docker", lambda: facts.Answer("29", api="1.52"))
    catalog = catalogue.load()
    assert [seen.name for seen in composecontainers.look(catalog, State(tmp_path))] == ["redis"]
