"""Reaching a cluster: the kubeconfig's settings, its credentials, and an API server that answers in time, or the reason why not."""

import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from ops.background import begin
from ops.cluster import imports
from ops.cluster.client import THREADS, Client, unreachable
from ops.cluster.objects import MANAGER
from ops.cluster.target import Target
from ops.console import say
from ops.errors import Failure

if TYPE_CHECKING:
    from kubernetes.client import Configuration

ANSWER_SECONDS = 5.0  # a cluster that does not answer is said within this time
CREDENTIALS_SECONDS = 15.0  # for a program of the kubeconfig that gets credentials
LOGIN_SECONDS = 300.0  # for one that asks a person to log in


@contextmanager
def connect(target: Target) -> Iterator[Client]:
    """Open a connection to the target and make sure that it answers, within five seconds, or say that it does not.

    The time of a program that gets the credentials is its own: a person may have to log in.
    """
    imports.prepare()
    import kubernetes.config  # noqa: F401  (its import is slow, and is not the cluster's silence)

    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="cluster")
    try:
        # In threads: a name server that is silent cannot be given a timeout otherwise. Not in those of the pool, for which the
        # process would wait at its end: as long as the name server, or a credential program, likes.
        settings = _credentials(target, begin(partial(_configure, target)))
        opening = begin(partial(_open, target, settings, pool))
        try:
            client = opening.result(timeout=ANSWER_SECONDS)
        except TimeoutError as error:
            raise unreachable(target, f"no answer within {ANSWER_SECONDS:g} s") from error
        yield client
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _credentials(target: Target, pending: "Future[Configuration]") -> "Configuration":
    """The settings of a connection, when the program that gets the credentials has ended."""
    limit = LOGIN_SECONDS if sys.stdin and sys.stdin.isatty() and sys.stdout and sys.stdout.isatty() else CREDENTIALS_SECONDS
    begun = min(ANSWER_SECONDS, limit)
    try:
        with suppress(TimeoutError):
            return pending.result(timeout=begun)
        say(f"Waiting for the program that gets the credentials of context {target.context}, at most {limit:g} s.")
        return pending.result(timeout=limit - begun)
    except TimeoutError as error:
        raise Failure(
            f"asking for the credentials of context {target.context}",
            f"the program that its user names under `exec` has not ended within {limit:g} s",
            f"Log in first: `kubectl --context {target.context} version` runs the same program.",
        ) from error


def _configure(target: Target) -> "Configuration":
    """What the kubeconfig says about the connection. Runs its credential program, if it names one."""
    from kubernetes import config
    from kubernetes.client import Configuration

    settings = Configuration()
    settings.retries = False  # this room decides what is tried again
    settings.connection_pool_maxsize = 4 * THREADS  # watches hold connections of their own
    file = None if target.kubeconfig is None else str(target.kubeconfig)
    try:
        with _logged_errors() as errors:
            config.load_kube_config(config_file=file, context=target.context, client_configuration=settings, persist_config=False)
    except (config.ConfigException, OSError, ValueError) as error:
        raise Failure(f"reading context {target.context}", str(error), "Repair the kubeconfig.") from error
    except (AttributeError, KeyError, TypeError) as error:  # what the client makes of an entry that is not of its shape
        cause = "its cluster or its user is not as a kubeconfig has them, or names an auth-provider that is no longer supported"
        raise Failure(f"reading context {target.context}", cause, "Repair the kubeconfig.") from error
    _clean_token(target, settings)
    if errors:
        remedy = "Install or repair the program that the context's user names under `exec`, and log in to the cluster."
        raise Failure(f"asking for the credentials of context {target.context}", "\n".join(errors), remedy)
    if not settings.verify_ssl:  # the kubeconfig says so; urllib3 would say it again with each request
        from urllib3 import disable_warnings
        from urllib3.exceptions import InsecureRequestWarning

        disable_warnings(InsecureRequestWarning)
    return settings


def _open(target: Target, settings: "Configuration", pool: ThreadPoolExecutor) -> Client:
    from kubernetes.client import ApiClient

    api = ApiClient(settings)
    api.user_agent = MANAGER  # by which the API server's audit log tells our requests
    client = Client(target, api, pool)
    client.greet()
    return client


def _clean_token(target: Target, settings: "Configuration") -> None:
    """Have each token as a header carries it: without the line end of its file. What is no token the client would show in its error."""
    renew = settings.refresh_api_key_hook

    def renewed(now: "Configuration") -> None:
        if renew:
            renew(now)
            now.refresh_api_key_hook = renewed  # the client's own hook puts itself there again
        for scheme, token in now.api_key.items():
            words = str(token).strip()
            if not (words.isascii() and words.isprintable()):
                cause = "its token has a line end in it, or a letter outside ASCII"
                raise Failure(f"reading context {target.context}", cause, "Log in to the cluster again, or repair the kubeconfig.")
            now.api_key[scheme] = words

    settings.refresh_api_key_hook = renewed


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    """What the client only logs, to go on without credentials: a credential plugin that is missing or fails."""
    import logging

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            errors.append(record.getMessage())

    errors: list[str] = []
    keep = Keep(logging.ERROR)
    logging.getLogger().addHandler(keep)
    try:
        yield errors
    finally:
        logging.getLogger().removeHandler(keep)
