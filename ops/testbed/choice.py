"""Which provider it is to be, and why not another. Pure functions."""

from collections.abc import Callable, Mapping

from ops.errors import Failure, UsageError
from ops.testbed.model import Provider

OWN: tuple[Provider, ...] = ("native", "container")
"""Those that bring a testbed of their own, the better first."""


Reason = Callable[[Provider], str | None]
"""Why a provider cannot run here; None where it can. It is asked for those alone that matter."""


def named(text: str) -> Provider | None:
    """The provider that a person asked for; None for the empty text. Raises `UsageError` for another word."""
    for provider in OWN:
        if text == provider:
            return provider
    if text:
        raise UsageError("reading --provider", f"there is no provider {text!r}", f"One of: {', '.join(OWN)}.")
    return None


def chosen(asked: Provider | None, runs: Provider | None, reason: Reason) -> Provider:
    """The provider that was asked for, else the one that runs already, else the first that can run here.

    Raises `Failure` where none can run, or where another one runs.
    """
    if asked and runs and asked != runs:
        cause = f"a testbed runs already, by the provider {runs}"
        raise Failure("starting the testbed", cause, "Use that one, or end it first: `invoke testbed.down`.")
    if asked and (refusal := reason(asked)):
        raise Failure(f"starting the testbed by the provider {asked}", refusal, f"{REMEDIES[asked]}, or {NAMED}")
    if provider := asked or runs or usable(reason):
        return provider
    raise Failure("starting the testbed", refusals(reason), f"{REMEDIES['native']}, or start Docker, or {NAMED}")


def usable(reason: Reason) -> Provider | None:
    """The first provider that can run here."""
    return next((provider for provider in OWN if reason(provider) is None), None)


def refusals(reason: Reason) -> str:
    """In words, why none can run."""
    return "; ".join(f"{provider}: {reason(provider)}" for provider in OWN)


REMEDIES: Mapping[Provider, str] = {
    "native": "Run it as root on Linux",
    "container": "Start Docker",
}
NAMED = "name a cluster: NEXTAI_TESTBED_KUBECONFIG and NEXTAI_TESTBED_REGISTRY."
