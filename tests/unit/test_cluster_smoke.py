"""The checks after a deploy: loaded before anything is applied, and what is wrong with their file is told with its place."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.catalog.model import Catalog, Environment
from ops.cluster import smoke
from ops.cluster.plan import Origin
from ops.cluster.prepare import prepare
from ops.cluster.target import Target
from ops.errors import Exit, Failure, UsageError
from ops.kube import kubectl
from ops.kube.objects import Object
from ops.retry import Policy
from ops.verbs import deploy as verb
from tests.integration.small_platform import Platform
from tests.unit.memory import Memory

CHECKS = """
SERVICE = "ct-web"
def check_one(reach):
    "It works."
    assert 1 == 2, "one is not two"
def clean_up(reach):
    pass
"""
TARGET = Target(Environment("staging", "kubernetes", "example.test"), None, "here", "https://127.0.0.1:1")


def catalog(root: Path, text: str = CHECKS) -> Catalog:
    (root / "checks.py").write_text(text)
    return replace(Platform(root, {"ct-web": "1", "ct-migrate": "1", "ct-store": "1"}).catalog(), smoke="checks.py")


def program(folder: Path, script: str) -> Path:
    file = folder / "kubectl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'", 1),
        ("x = 1\ndef check(:\n", "SyntaxError: invalid syntax", 2),
        ("import os\n\nx = {}['lost']\n", "KeyError: 'lost'", 3),
        ("import json\njson.loads('{')\n", "JSONDecodeError", 2),
        ("raise SystemExit(3)\n", "SystemExit: 3", 1),
    ],
)
def test_a_file_of_checks_that_cannot_be_loaded_is_named_with_the_line(tmp_path: Path, text: str, words: str, line: int) -> None:
    with pytest.raises(UsageError) as caught:
        smoke.checks_of(catalog(tmp_path, text))
    assert words in caught.value.cause
    assert f"{tmp_path / 'checks.py'}:{line}" in caught.value.cause


@pytest.mark.parametrize(
    ("was", "now", "words"),
    [
        ('SERVICE = "ct-web"', "", "SERVICE names no service"),
        ('SERVICE = "ct-web"', "SERVICE = 7", "SERVICE names no service"),
        ('"ct-web"', '"elsewhere"', "SERVICE names no service"),
        ("def clean_up", "def cleanup", "no function clean_up"),
        ("def check_one", "def one", "no functions check_…"),
    ],
)
def test_a_file_of_checks_that_lacks_something_is_told_what(tmp_path: Path, was: str, now: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        smoke.checks_of(catalog(tmp_path, CHECKS.replace(was, now)))
    assert words in caught.value.cause
    assert "checks.py" in caught.value.cause


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('assert 1 == 2, "one is not two"', "It works: one is not two"),
        ("None.get", "It works: AttributeError: 'NoneType' object has no attribute 'get' (checks.py:5)"),
        ("import json; json.loads('')", "(checks.py:5)"),
        ("raise SystemExit", "It works: SystemExit (checks.py:5)"),
        ("reach.notes['token']", "It works: an earlier check did not give 'token' (checks.py:5)"),
    ],
)
def test_a_check_fails_with_its_own_words_or_with_the_place(tmp_path: Path, body: str, words: str) -> None:
    checks = smoke.checks_of(catalog(tmp_path, CHECKS.replace('assert 1 == 2, "one is not two"', body)))
    wrong = smoke.one(checks.functions[0], smoke.Reach("http://127.0.0.1:1", str), lambda _: None)
    assert wrong.startswith("It works: ")
    assert wrong.endswith(words)


Deploy = Callable[..., tuple[list[str], str]]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """A deploy of one ConfigMap to a cluster that has no pods: what it wrote, and why it failed, if it did."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("ops.testbed.running", lambda: None)  # whose kubectl would do

    def does(text: str, *, empty: bool = False, dry_run: bool = False) -> tuple[list[str], str]:
        found = catalog(tmp_path, text)
        home = found.namespaces[0]
        cluster = Memory({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}})
        wanted: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": home}}
        plan = prepare(found, cluster, Origin("deploy", "staging", ""), [] if empty else [wanted])
        try:
            assert verb._carry_out(found, cluster, plan, yes=True, dry_run=dry_run, checked=True) == Exit.DONE
        except Failure as failure:
            return cluster.writes, failure.cause
        return cluster.writes, ""

    return does


def test_a_deploy_without_kubectl_or_with_broken_checks_ends_before_anything_is_written(deploy: Deploy, tmp_path: Path) -> None:
    assert deploy(CHECKS) == ([], "it is not on this machine (≥ 1.30 is wanted)")
    program(tmp_path, """echo '{"clientVersion": {"gitVersion": "v1.33.0"}}'""")
    writes, cause = deploy(CHECKS)
    assert any(one.startswith("PATCH") and one.endswith("/configmaps/c") for one in writes)
    assert cause.startswith("nothing of that name runs")  # then the checks ran
    writes, cause = deploy("import no_such_module")
    assert writes == [] and "no_such_module" in cause


@pytest.mark.parametrize("how", ["empty", "dry_run"])
def test_where_nothing_is_applied_the_checks_are_not_loaded(deploy: Deploy, how: str) -> None:
    assert deploy("import no_such_module", **{how: True}) == ([], "")


def test_a_forward_that_says_nothing_ends_after_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubectl, "SECONDS", 0.3)
    monkeypatch.setattr(kubectl, "FORWARDING", replace(kubectl.FORWARDING, first=0.05))
    silent = program(tmp_path, f"echo $$ >{tmp_path}/pid; echo waiting for the lift >&2; exec sleep 60")
    begin = time.monotonic()
    with (
        pytest.raises(Failure, match=r"(?s)no port was forwarded within 0\.3 s.*waiting for the lift") as caught,
        kubectl.forward(replace(TARGET, kubectl=silent), "space", "pod/web", 8080),
    ):
        pass
    assert time.monotonic() - begin < 20
    assert "--namespace=space --address=127.0.0.1" in caught.value.remedy
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_kubectl_of_another_machine_is_told(tmp_path: Path) -> None:
    (tmp_path / "kubectl").write_bytes(b"\x7fELF of another machine")
    (tmp_path / "kubectl").chmod(0o755)
    foreign = replace(TARGET, kubectl=tmp_path / "kubectl")
    with pytest.raises(Failure, match="Exec format error"), kubectl.forward(foreign, "space", "pod/web", 8080):
        pass


def test_a_forward_that_ends_is_told_with_its_words_and_one_that_works_gives_its_port(tmp_path: Path) -> None:
    broken = program(tmp_path, "echo no such pod >&2; exit 1")
    with pytest.raises(Failure, match="no such pod"), kubectl.forward(replace(TARGET, kubectl=broken), "space", "pod/web", 8080):
        pass
    works = program(tmp_path, "printf 'Forwarding from 127.0.0.1:40'; sleep 0.2; echo '123 -> 8080'; exec sleep 60")
    with kubectl.forward(replace(TARGET, kubectl=works), "space", "pod/web", 8080) as port:
        assert port == 40123


def test_checks_that_fail_since_the_way_to_the_cluster_broke_off_are_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is reset undid a deploy: what failed was the way, and not what was deployed."""
    ways = [["error: lost connection to pod"], []]
    said: list[str] = []

    @contextmanager
    def reach(catalog: Any, client: Any, name: str, ended: list[str]) -> Iterator[smoke.Reach]:
        words = ways.pop(0)
        yield smoke.Reach("broken" if words else "well", lambda *_: "")
        ended += words

    def check_it(reach: smoke.Reach) -> None:
        """It answers"""
        assert reach.address == "well"

    monkeypatch.setattr(smoke, "_reach", reach)
    monkeypatch.setattr(smoke, "AGAIN", Policy(tries=2, first=0.01))
    nobody: Any = None
    checks = smoke.Checks("web", (check_it,), lambda _: None)
    smoke.verify(nobody, nobody, checks, said.append)
    assert said[-2:] == ["  ok      It answers", "1 check passed"]
    assert "the connection to the cluster was lost (error: lost connection to pod): the checks are run again" in said


def test_a_forward_whose_kubectl_ends_meanwhile_says_so(tmp_path: Path) -> None:
    ends = program(
        tmp_path,
        f"echo $$ >{tmp_path}/pid; echo 'Forwarding from 127.0.0.1:40123 -> 8080'; echo 'error: lost connection to pod' >&2; sleep 0.2",
    )
    ended: list[str] = []
    with kubectl.forward(replace(TARGET, kubectl=ends), "space", "pod/web", 8080, ended):
        pid = (tmp_path / "pid").read_text().strip()
        ps = ("ps", "-o", "stat=", "-p", pid)
        while not subprocess.run(ps, capture_output=True, text=True, check=False).stdout.strip().startswith("Z"):
            time.sleep(0.01)
    assert ended == ["error: lost connection to pod"]
