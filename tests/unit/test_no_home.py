"""A user without a home folder, as containers have them (a number without a line in /etc/passwd): nothing of it is there to be read."""

import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from ops import engine, folders
from ops.errors import Failure
from ops.images.login import Logins
from ops.kube import kubeconfig
from ops.tools import browser, table


def nobody(_: int) -> pwd.struct_passwd:
    raise KeyError("uid not found")


VARIABLES = (
    "HOME",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "KUBECONFIG",
    "PLAYWRIGHT_BROWSERS_PATH",
    "NEXTAI_CACHE",
    "XDG_CACHE_HOME",
)


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(RuntimeError):
        Path.home()


@pytest.mark.parametrize(
    ("look", "found"),
    [
        (lambda: Logins().of("registry.example"), None),
        (lambda: browser.fetched(table.TABLE["chromium"]), None),
        (kubeconfig.usual_files, (Path("/.kube/config"),)),
        (lambda: engine.connection({})["base_url"], "unix:///var/run/docker.sock"),
    ],
)
def test_the_settings_of_other_programs_are_not_there(look: Callable[[], object], found: object) -> None:
    assert look() == found


def test_our_own_folders_are_asked_for() -> None:
    with pytest.raises(Failure, match="there is no home folder"):
        folders.cache()
