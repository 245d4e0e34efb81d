"""`invoke doctor`: what is missing is missing only where something needs it."""

import pytest

from ops import doctor
from ops.catalog import load
from ops.doctor import Finding

BUILDX = Finding("buildx", "missing", "it is not on this machine", "Install it.")


@pytest.mark.parametrize(("engine", "expected"), [("ok", "missing"), ("later", "later")])
def test_the_clients_of_an_engine_are_missing_only_where_an_engine_answers(
    monkeypatch: pytest.MonkeyPatch, engine: doctor.State, expected: doctor.State
) -> None:
    monkeypatch.setattr(doctor, "_tools", lambda: (BUILDX, Finding("go", "missing", "", "")))
    monkeypatch.setattr(doctor, "_engine", lambda: (Finding(doctor.ENGINE, engine, ""),))
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
