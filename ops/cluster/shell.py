"""A shell beside a running service: an ephemeral container in its pod, since the service's own image has none."""

import sys
import time
import uuid
from dataclasses import dataclass, replace

from ops.catalog.model import Catalog
from ops.cluster.pods import Selector, find, selector_of
from ops.documents import Json
from ops.errors import Failure, UsageError
from ops.kube import write
from ops.kube.client import Client
from ops.kube.cluster import ClusterAccess
from ops.kube.kubectl import QUESTION_TIMEOUT, join, kubectl
from ops.kube.objects import Object, rows, table, text
from ops.kube.readiness.reasons import CREATE, PULL
from ops.kube.stream import events

_READY_SECONDS = 60
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True, slots=True)
class Shell:
    """A debug container that runs: attach to it with `argv`."""

    namespace: str
    pod: str
    container: str
    argv: tuple[str, ...]


def open_shell(catalog: Catalog, client: Client, name: str, image: str, *, command: tuple[str, ...] = ("sh",)) -> Shell:
    """Put a container with `image` into a running pod of a service, sharing its network and seeing its main process.

    It has a terminal where this process has one, is as restricted as the pod itself, and goes with it.
    Raises `Failure` with the cause when it cannot start.
    """
    program = kubectl(client.cluster)  # before the container: it cannot be removed from the pod, and is of no use without kubectl
    selector = selector_of(catalog, client, name)
    found = _running_pod(client, selector, name)
    namespace, pod, terminal = selector.namespace, text(found, "metadata", "name"), sys.stdin.isatty()
    debug = debug_container(found, image, command, terminal=terminal)
    container = text(debug, "name")
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/ephemeralcontainers"
    write.patch(client, path, {"spec": {"ephemeralContainers": [debug]}}, STRATEGIC)
    _until_running(client, namespace, pod, container)
    stdin = ("--stdin", "--tty") if terminal else ("--stdin",)
    argv = (*program, "attach", QUESTION_TIMEOUT, "--quiet", f"--namespace={namespace}", *stdin, pod, f"--container={container}")
    return Shell(namespace, pod, container, argv)


def debug_container(pod: Object, image: str, command: tuple[str, ...], *, terminal: bool) -> Object:
    """What is put into the pod. Without a terminal its input ends with ours, and what it writes after that is still passed on.

    With `stdinOnce` unset, the container runtime ends the outputs of whoever is attached when the input does.
    """
    main = rows(pod, "spec", "containers")[0]
    user: Json = table(main, "securityContext").get("runAsUser") or table(pod, "spec", "securityContext").get("runAsUser") or 65534
    return {
        "name": f"debug-{uuid.uuid4().hex[:6]}",
        "image": image,
        "command": [*command],
        "stdin": True,
        "stdinOnce": not terminal,
        "tty": terminal,
        "targetContainerName": text(main, "name"),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "runAsNonRoot": True,
            "runAsUser": user,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def attach(cluster: ClusterAccess, shell: Shell) -> int:
    """Join this terminal to the shell; returns kubectl's exit code."""
    return join(cluster, shell.argv, f"joining the shell in {shell.namespace}/{shell.pod}")


def _running_pod(client: Client, selector: Selector, name: str) -> Object:
    running = replace(selector, fields="status.phase=Running")
    pods = [p for p in find(client, running) if not text(p, "metadata", "deletionTimestamp")]
    if not pods:
        raise UsageError(f"opening a shell beside {name}", "no pod of it runs", "`invoke status` says why.")
    return max(pods, key=lambda p: text(p, "metadata", "creationTimestamp"))


def _until_running(client: Client, namespace: str, pod: str, container: str) -> None:
    """Wait for it. A watch that breaks off is begun again, and begins with what is there."""
    doing, last, end = f"opening a shell in {namespace}/{pod}", "", time.monotonic() + _READY_SECONDS
    while (left := end - time.monotonic()) > 0:
        query = {"fieldSelector": f"metadata.name={pod}", "watch": "1", "timeoutSeconds": str(max(1, round(left)))}
        stream = client.stream(f"/api/v1/namespaces/{namespace}/pods", query, seconds=left + 10)
        try:
            for event in events(stream):
                running, last = _state(event, container, last, doing)
                if running:
                    return
        finally:
            stream.close()
    cause = f"it did not start within {_READY_SECONDS} s{': ' + last if last else ''}"
    raise Failure(doing, cause, "See `invoke status`.")


def _state(event: Object, container: str, last: str, doing: str) -> tuple[bool, str]:
    """Whether the container runs, and what it waits for. Raises `Failure` where it cannot start."""
    for status in rows(event, "object", "status", "ephemeralContainerStatuses"):
        if text(status, "name") != container:
            continue
        waiting, ended = table(status, "state", "waiting"), table(status, "state", "terminated")
        if table(status, "state", "running"):
            return True, ""
        last = f"{text(waiting, 'reason')} {text(waiting, 'message')}".strip()
        if ended or text(waiting, "reason") in (*PULL, *CREATE):
            why = text(waiting, "message") or text(ended, "message") or text(ended, "reason") or text(waiting, "reason")
            raise Failure(doing, why, "Name another image: it must be one that the cluster can pull, and have the program.")
    return False, last
