"""Reaching a cluster: the kubeconfig's settings, its credentials, and an API server that answers in time, or the reason why not."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

from ops.background import begin
from ops.console import say
from ops.kube.client import THREADS, Client
from ops.kube.cluster import ClusterAccess
from ops.kube.credentials import CREDENTIALS_SECONDS, LOGIN_SECONDS, Late, Source, interactive, late, source
from ops.kube.errors import unreachable
from ops.kube.kubeconfig import context_of, read, usual_files
from ops.kube.transport import Transport

ANSWER_SECONDS = 5.0  # a cluster that does not answer is said within this time


@contextmanager
def connect(cluster: ClusterAccess) -> Iterator[Client]:
    """Open a connection to the cluster. Raises `Failure` where it does not answer within five seconds.

    A program that gets the credentials has a time limit of its own, since a person may have to log in.
    """
    context = context_of(read(usual_files() if cluster.kubeconfig is None else (cluster.kubeconfig,)), cluster.context)
    transport = Transport(cluster, context, source(context))
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="cluster")
    try:
        _identify(transport.source)
        # In a thread, since a name server that does not answer cannot be given a timeout otherwise. Not in a thread of the pool: the
        # process would wait for it at its end.
        opening = begin(partial(_open, cluster, transport, pool))
        try:
            client = opening.result(timeout=ANSWER_SECONDS)
        except TimeoutError as error:
            raise unreachable(cluster, f"no answer within {ANSWER_SECONDS:g} s") from error
        yield client
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _identify(credentials: Source) -> None:
    """Get the credentials, and say so where the program that gets them takes longer than a moment."""
    context = credentials.context
    limit = LOGIN_SECONDS if interactive(context) else CREDENTIALS_SECONDS
    begun = min(ANSWER_SECONDS, limit)
    with suppress(Late):
        credentials.get(begun)
        return
    say(f"Waiting for the program that gets the credentials of context {context.name}, at most {limit:g} s.")
    try:
        credentials.get(limit - begun)
    except Late as error:
        raise late(context, limit) from error


def _open(cluster: ClusterAccess, transport: Transport, pool: ThreadPoolExecutor) -> Client:
    client = Client(cluster, transport, pool)
    client.ping()
    return client
