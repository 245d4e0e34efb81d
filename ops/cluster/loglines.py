"""Lines of logs, and the containers that write them."""

import re
from dataclasses import dataclass

from ops.kube.objects import Object, pod_template, rows, text


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of one container."""

    pod: str
    container: str
    text: str


@dataclass(frozen=True, slots=True)
class LogSelection:
    """Which lines: the last `tail` of each container, those of the last `since` seconds, and (`follow`) those to come."""

    tail: int = 100
    since: int | None = None
    follow: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """One container of one pod; another pod of the same name has another `uid`."""

    namespace: str
    pod: str
    uid: str
    name: str

    @property
    def path(self) -> str:
        """Where the API has its log."""
        return f"/api/v1/namespaces/{self.namespace}/pods/{self.pod}/log"

    def query(self, wanted: LogSelection) -> dict[str, str]:
        """What the API is asked: it then writes each line's time before it."""
        query = {"container": self.name, "tailLines": str(wanted.tail), "timestamps": "true"}
        return query if wanted.since is None else query | {"sinceSeconds": str(wanted.since)}


def container_of(pod: Object, name: str) -> Container:
    """A container of a pod by its name."""
    return Container(text(pod, "metadata", "namespace"), text(pod, "metadata", "name"), text(pod, "metadata", "uid"), name)


def containers(pod: Object) -> list[Container]:
    """The containers of a pod, those first that run first."""
    template = pod_template({**pod, "kind": "Pod"}) or {}
    return [container_of(pod, text(c, "name")) for group in ("initContainers", "containers") for c in rows(template, "spec", group)]


def stamped(container: Container, line: str) -> tuple[str, LogLine]:
    """A line's time and the line; a word of the kubelet's own, that a log cannot be read, has no time."""
    moment, blank, words = line.partition(" ")
    if not (blank and re.match(r"\d{4}-\d\d-\d\dT", moment)):
        moment, words = "", line
    return moment, LogLine(container.pod, container.name, words)
