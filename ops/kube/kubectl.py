"""kubectl where a person's terminal or a local port is to be joined to a pod: both are streams that it does well."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Final

from ops.command import Command, Completed, checked, run
from ops.errors import Failure
from ops.kube.cluster import ClusterAccess
from ops.retry import Policy, Transient, persist

SECONDS = 20.0  # in which a port must be forwarded: kubectl itself waits for a cluster without an end
FORWARDING: Final = Policy(tries=8, seconds=90.0)
QUESTION_TIMEOUT: Final = "--request-timeout=10s"  # for each of its questions, which have no limit otherwise; a stream outlives it
# What forwarding a port will not do later either. Everything else may pass, and nothing has been begun.
_FINAL: Final = re.compile(r"\((NotFound|Forbidden|Unauthorized|BadRequest|Invalid)\)|does not have a service port|unable to find a pod")
# How kubectl says that the API server, or the way to it, failed before anything was begun.
_NOT_BEGUN: Final = re.compile(
    r"\((TooManyRequests|InternalError|ServiceUnavailable|Timeout|ServerTimeout)\)|Error from server: |etcdserver: "
    r"|Unable to connect to the server"
    r"|unexpected error when reading response body"
    r"|unable to upgrade connection|error dialing backend|error upgrading connection|was refused - did you specify|: EOF$"
    r"|connection reset by peer|TLS handshake timeout|server is currently unable to handle|server has received too many requests"
    r'|"https?://[^"]*": (?:context deadline exceeded|net/http: request canceled)',
    re.MULTILINE,
)
# The same of a terminal that is joined: a connection that breaks later is not made anew, since what was typed may be lost.
_NOT_JOINED: Final = re.compile(
    r'^(?:error: )?(?:Error from server|Unable to connect to the server|unable to upgrade connection|(?:Get|Post) "https?://[^"]*": )'
)
_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)\s")


def kubectl(cluster: ClusterAccess) -> tuple[str, ...]:
    """kubectl's argv for a target: the testbed's own for a testbed, else this machine's. Raises `Failure` when there is none."""
    from ops import tools

    if cluster.kubectl and not cluster.kubectl.exists():
        raise Failure("looking for kubectl", f"the testbed's is gone: {cluster.kubectl}", "Run `invoke testbed.up`.")
    program = (str(cluster.kubectl),) if cluster.kubectl else tools.find("kubectl").argv
    kubeconfig = (f"--kubeconfig={cluster.kubeconfig}",) if cluster.kubeconfig else ()
    return (*program, *kubeconfig, f"--context={cluster.context}")


def execute(cluster: ClusterAccess, namespace: str, pod: str, argv: Sequence[str], *, stdin: str | None = None) -> Completed:
    """Run a program in a pod (`NAME`, or `deploy/NAME`) and return what it wrote. Secrets go through `stdin`, never through argv."""
    interactive = () if stdin is None else ("--stdin",)
    command = Command(
        (*kubectl(cluster), "exec", QUESTION_TIMEOUT, f"--namespace={namespace}", *interactive, pod, "--", *argv),
        f"running {argv[0]} in {namespace}/{pod}",
        stdin=stdin,
        remedy="See `invoke status`.",
    )

    def once(_: int) -> Completed:
        done = run(command, check=False, timeout=60)
        try:
            return checked(command, done)
        except Failure as failure:
            if _NOT_BEGUN.search(done.stderr):
                raise Transient(_blamed(cluster, failure)) from failure
            raise

    return persist(once)


def join(cluster: ClusterAccess, argv: tuple[str, ...], doing: str) -> int:
    """Join standard input and output to a container, by a kubectl that says nothing itself but errors; returns its exit code.

    Raises `Failure` where the API server does not let us join, however often it is asked.
    """

    def once(_: int) -> int:
        held: list[str] = []
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, errors="replace") as child:
            assert child.stderr
            for line in child.stderr:
                if not held and not _NOT_JOINED.search(line):
                    sys.stderr.write(line)
                    sys.stderr.flush()
                else:
                    held.append(line)
        if child.returncode and held:
            raise Transient(_blamed(cluster, Failure(doing, "".join(held).strip(), "See `invoke status`.")))
        return child.returncode

    return persist(once)


def _blamed(cluster: ClusterAccess, failure: Failure) -> Failure:
    """The failure with who failed: kubectl says "the server", and not which."""
    if _NOT_BEGUN.search(failure.cause):
        failure.cause = f"the API server {cluster.server}, or what leads to it, failed; kubectl said:\n{failure.cause}"
    return failure


@contextmanager
def forward(cluster: ClusterAccess, namespace: str, resource: str, port: int, ended: list[str] | None = None) -> Iterator[int]:
    """A free port of this machine that leads to `resource` (such as `service/NAME`) while the block runs.

    Where kubectl ends before the block does, its last words are put into `ended`.
    """
    argv = (*kubectl(cluster), "port-forward", QUESTION_TIMEOUT, f"--namespace={namespace}", "--address=127.0.0.1", resource, f":{port}")
    doing = f"reaching {resource} in {namespace}"
    # Into a file and not a pipe: a program that kubectl asks for credentials may hold a pipe open, and nobody reads it later.
    with tempfile.TemporaryFile() as said:
        child, found = persist(lambda _: _forwarding(cluster, argv, said, doing), FORWARDING)
        try:
            yield found
        finally:
            if ended is not None and child.poll() is not None:
                words = os.pread(said.fileno(), 65536, 0).decode(errors="replace").split("\n")
                ended.append(next((line for line in reversed(words) if line.strip()), "kubectl ended"))
            child.terminate()
            child.wait()


def _forwarding(cluster: ClusterAccess, argv: tuple[str, ...], said: IO[bytes], doing: str) -> "tuple[subprocess.Popen[bytes], int]":
    """kubectl, and the port that it forwards. Raises `Transient` where the same may succeed in a moment."""
    said.truncate(0)
    said.seek(0)
    try:
        child = subprocess.Popen(argv, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise Failure("starting kubectl", f"{argv[0]}: {error.strerror}", "Install a kubectl for this machine.") from error
    try:
        return child, _port(child, said.fileno(), doing, shlex.join(argv))
    except BaseException as error:
        child.terminate()
        child.wait()
        if isinstance(error, Failure) and not _FINAL.search(error.cause):
            raise Transient(_blamed(cluster, error)) from error
        raise


def _port(child: "subprocess.Popen[bytes]", said: int, doing: str, command: str) -> int:
    """The port that kubectl says it forwards. Raises `Failure` when it ends, or has not said so in time."""
    deadline = time.monotonic() + SECONDS
    while True:
        ended, late = child.poll() is not None, time.monotonic() > deadline  # before its words are read, so that none is missed
        words = os.pread(said, 65536, 0).decode(errors="replace").strip()
        if found := _FORWARDING.search(words):
            return int(found[1])
        if ended:
            raise Failure(doing, words or "kubectl ended", "See `invoke status`.")
        if late:
            cause = "\n".join([f"no port was forwarded within {SECONDS:g} s; kubectl said:", words or "nothing"])
            raise Failure(doing, cause, f"See what it waits for: `{command}`")
        time.sleep(0.02)
