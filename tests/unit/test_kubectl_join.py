"""A terminal is joined again where the API server failed before it was, and never after."""

import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops import retry
from ops.errors import Failure
from ops.kube import kubectl
from ops.retry import Policy


@dataclass(frozen=True)
class Place:
    """A cluster that nothing is asked of."""

    kubectl: Path
    kubeconfig: Path | None = None
    context: str = "c"
    server: str = "https://api.example"
    agent: str = "test"


def program(folder: Path, *runs: str) -> Place:
    """A kubectl whose first run does the first of `runs`, and so on; the last one is done again and again."""
    lines = [f"{number}) {run};;" for number, run in enumerate(runs[:-1], 1)]
    count = folder / "count"
    file = folder / "kubectl"
    text = ["#!/bin/sh", f'echo x >>"{count}"', f'case "$(wc -l <"{count}")" in', *lines, f"*) {runs[-1]};;", "esac"]
    file.write_text("\n".join(text))
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return Place(file)


REFUSED = [
    "Error from server (InternalError): a passing fault",
    "Unable to connect to the server: EOF",
    'error: Get "https://api.example/attach": read tcp: connection reset by peer',
    "error: unable to upgrade connection: 503",
]


@pytest.mark.parametrize("words", REFUSED)
def test_a_shell_is_joined_again(tmp_path: Path, words: str, capfd: pytest.CaptureFixture[str]) -> None:
    place = program(tmp_path, f"echo '{words}' >&2; exit 1", "echo heard; exit 0")
    assert kubectl.join(place, (str(place.kubectl),), "joining") == 0
    out, err = capfd.readouterr()
    assert (out, err) == ("heard\n", "")


def test_one_that_broke_off_is_not(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    place = program(tmp_path, "echo 'error: read tcp 127.0.0.1: connection reset by peer' >&2; exit 1", "echo twice; exit 0")
    assert kubectl.join(place, (str(place.kubectl),), "joining") == 1
    out, err = capfd.readouterr()
    assert out == "" and "connection reset" in err


def test_who_does_not_let_us_join_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = program(tmp_path, f"echo '{REFUSED[0]}' >&2; exit 1")
    monkeypatch.setattr(kubectl, "persist", lambda work: retry.persist(work, Policy(tries=2, first=0.01)))
    with pytest.raises(Failure) as refused:
        kubectl.join(place, (str(place.kubectl),), "joining")
    cause = refused.value.cause
    assert cause.startswith(f"the API server https://api.example, or what leads to it, failed; kubectl said:\n{REFUSED[0]}")
    assert "tried 2 times" in cause
