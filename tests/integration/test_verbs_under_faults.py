"""Every verb as a program, behind an API server and a registry that fail: one request in five, or all of them."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ops.testbed import Testbed
from tests.integration.faults import Faults, api_server, closed_registry, kubeconfig, registry
from tests.integration.rounds import ROUNDS
from tests.integration.small_checkout import Checkout, named

VERBS = (
    ("plan",),
    ("deploy", "--yes"),
    ("status",),
    ("history",),
    ("logs", "fx-web"),
    ("scale", "fx-web", "--replicas", "2", "--yes"),
    ("rollback", "--yes"),
    ("migrate", "--yes"),
    ("migrate.status",),
    ("shell", "fx-web"),
)
NEEDS_IMAGES = VERBS[:2]


def alongside(checkout: Checkout, verbs: Sequence[tuple[str, ...]], environment: Callable[[int], dict[str, str]]) -> list[str]:
    """What each verb says, that fails; they mostly wait, so they are run at the same time."""
    with ThreadPoolExecutor(5) as pool:
        each = pool.map(lambda number: checkout.verb(*verbs[number], env=environment(number)), range(len(verbs)))
        ended = list(each)
    assert [done.code for done in ended] == [1] * len(verbs), ended
    return [done.err for done in ended]


WORDS = {
    "429": r"the API server {0} is overloaded \(429\)",
    "500": r"the API server {0} failed \(500\)",
    "503": r"{0} answered 503, and not as an API server does: a proxy or a load balancer",
    "reset": r"{0} does not answer",
    "silent": r"{0} does not answer",
}


@pytest.mark.parametrize("seed", ROUNDS)
@pytest.mark.parametrize("first", [True, False], ids=["from the beginning", "after it has answered once"])
def test_every_verb_names_the_api_server_that_always_fails(testbed: Testbed, tmp_path: Path, seed: int, first: bool) -> None:
    """Another kind of failure for each verb; at night each verb meets all of them."""
    checkout = Checkout(tmp_path / "a checkout").make()
    kinds = list(WORDS) if first else [kind for kind in WORDS if kind != "silent"]  # which would be two minutes
    with several(testbed, tmp_path, kinds, first=first) as configs:
        chosen = [kinds[(number + seed) % len(kinds)] for number in range(len(VERBS))]
        said = alongside(checkout, VERBS, lambda number: named(testbed, configs[chosen[number]], testbed.registry))
    for verb, kind, words in zip(VERBS, chosen, said, strict=True):
        assert re.search(WORDS[kind].format(r"https://127\.0\.0\.1:\d+"), words), (verb, kind, words)


@contextmanager
def several(testbed: Testbed, folder: Path, kinds: Sequence[str], *, first: bool) -> Iterator[dict[str, Path]]:
    """An API server for each kind of failure, which fails always, or after it was greeted."""
    with ExitStack() as stack:
        faults = {kind: Faults(one_in=1, kinds=(kind,), only=lambda _, path: first or path != "/version") for kind in kinds}
        yield {kind: stack.enter_context(api_server(testbed, folder / kind, faults[kind])) for kind in kinds}


def test_a_verb_that_needs_images_names_the_registry_or_the_token_server_that_always_fails(testbed: Testbed, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "a checkout").make()
    with ExitStack() as stack:
        failing = [stack.enter_context(registry(testbed.registry, Faults(one_in=1, kinds=(kind,)))) for kind in WORDS]
        closed = [stack.enter_context(closed_registry(f"http://{server}/token")) for server in failing]
        addresses = [*failing, *closed]
        verbs = [NEEDS_IMAGES[number % 2] for number in range(len(addresses))]
        said = alongside(checkout, verbs, lambda number: named(testbed, testbed.kubeconfig, addresses[number]))
    for address, words in zip(failing, said, strict=False):
        assert f"asking the registry {address}" in words and "token service" not in words, words
    for server, words in zip(failing, said[len(failing) :], strict=True):
        assert f"its token service http://{server}" in words, words


def test_every_verb_names_the_program_that_gives_no_credentials(testbed: Testbed, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "a checkout").make()
    plugin = tmp_path / "plugin"
    plugin.write_text("#!/bin/sh\necho 'the login server is away' >&2\nexit 1\n")
    plugin.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}}
    config = kubeconfig(tmp_path / "kubeconfig", testbed.context, {"server": "https://127.0.0.1:1"}, user)  # type: ignore[arg-type]
    for verb, words in zip(VERBS, alongside(checkout, VERBS, lambda _: named(testbed, config, testbed.registry)), strict=True):
        assert f"its program {plugin} (`exec` in the kubeconfig)" in words and "the login server is away" in words, (verb, words)
