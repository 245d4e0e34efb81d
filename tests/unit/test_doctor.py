"""`invoke doctor`: what is missing is missing only where something needs it."""

from importlib import import_module
from pathlib import Path

import pytest

from ops.catalog import load
from ops.tools.table import TABLE
from ops.verbs import doctor
from ops.verbs.doctor import DoctorRow

BUILDX = DoctorRow("buildx", "missing", "it is not on this machine", "Install it.")


@pytest.mark.parametrize(("engine", "expected"), [("ok", "missing"), ("later", "later")])
def test_the_clients_of_an_engine_are_missing_only_where_an_engine_answers(
    monkeypatch: pytest.MonkeyPatch, engine: doctor.RowState, expected: doctor.RowState
) -> None:
    monkeypatch.setattr(doctor, "_tools", lambda: (BUILDX, DoctorRow("go", "missing", "", "")))
    monkeypatch.setattr(doctor, "_engine", lambda: (DoctorRow(doctor.ENGINE, engine, ""),))
    found = {finding.what: finding.state for finding in doctor.examine(load())}
    assert found["buildx"] == expected
    assert found["go"] == "missing"


def test_every_port_of_the_platform_that_is_taken_is_named() -> None:
    import socket

    catalog = load()
    port = next(iter(catalog.services.values())).local_port
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            holder.bind((doctor.LOOPBACK, port))
            holder.listen()
        except OSError:
            pass  # somebody else holds it, which is the same to the doctor
        details = " ".join(finding.detail for finding in doctor._ports(catalog))
    assert str(port) in details


@pytest.mark.parametrize(
    ("reasons", "state", "said"),
    [
        ({"native": None, "container": None}, "ok", "provider native)"),
        ({"native": "it needs root", "container": None}, "ok", "provider container; not native: it needs root"),
        (
            {"native": "it needs root", "container": "no Docker engine answers"},
            "later",
            "it needs root; container: no Docker engine answers",
        ),
    ],
)
def test_the_testbeds_provider_is_said_and_why_not_another(
    monkeypatch: pytest.MonkeyPatch, reasons: dict[str, str | None], state: doctor.RowState, said: str
) -> None:
    monkeypatch.setattr("ops.testbed.running", lambda: None)
    monkeypatch.setattr("ops.testbed.reason", reasons.__getitem__)
    monkeypatch.delenv("NEXTAI_TESTBED_KUBECONFIG", raising=False)
    (finding,) = doctor._testbed()
    assert finding.state == state
    assert said in finding.detail


@pytest.mark.parametrize(("installed", "expected"), [(False, "later"), (True, "missing")])
def test_what_up_installs_is_missing_only_where_it_was_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: bool, expected: doctor.RowState
) -> None:
    find = import_module("ops.tools.find")
    monkeypatch.setattr(find, "ROOT", tmp_path)
    monkeypatch.setattr(find, "TABLE", {name: TABLE[name] for name in ("biome", "node")})
    if installed:
        (tmp_path / "node_modules").mkdir()
        (tmp_path / "node_modules" / ".modules.yaml").touch()
    found = {finding.what: finding for finding in doctor._tools()}
    assert found["biome"].state == expected
    assert "`invoke up`" in found["biome"].remedy


def test_an_engine_that_does_not_answer_is_said_as_up_says_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    (finding,) = doctor._engine()
    assert finding.state == "later"
    assert finding.detail == f"no Docker Engine answers at unix://{tmp_path}/none.sock (no such file or directory)"


def test_every_remedy_is_told_once_with_what_it_is_for_and_what_is_missing_comes_first() -> None:
    later = [DoctorRow(name, "later", "not built yet", "Nothing to do.") for name in ("kustomize", "staticcheck")]
    findings = [DoctorRow("web", "ok", "3000"), *later, DoctorRow("go", "missing", "not here", "Install it.")]
    assert list(doctor._remedies(findings).items()) == [("Install it.", ["go"]), ("Nothing to do.", ["kustomize", "staticcheck"])]
