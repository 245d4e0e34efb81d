"""What a service's pods have written, in order of time. What they write from now on: `follow`."""

from collections.abc import Iterator

from ops.catalog.model import Catalog
from ops.cluster.follow import follow
from ops.cluster.loglines import Container, LogLine, LogSelection, containers, stamped
from ops.cluster.pods import Selector, find, selector_of
from ops.kube.client import ApiError, Client


def read(catalog: Catalog, client: Client, name: str, wanted: LogSelection) -> Iterator[LogLine]:
    """The lines of all pods of a service, job or store: in order of time without `follow`, as they come with it.

    Raises `UsageError` when nothing of that name runs, `Failure` when the server may not be asked, or is gone for good.
    """
    selector = selector_of(catalog, client, name)
    return follow(client, selector, wanted) if wanted.follow else written(client, selector, wanted)


def written(client: Client, selector: Selector, wanted: LogSelection) -> Iterator[LogLine]:
    """What the pods have written until now, in order of time."""

    def lines(container: Container) -> list[tuple[str, LogLine]]:
        try:
            answer = client.read_text(container.path, container.query(wanted))
        except ApiError as error:
            if error.status in (400, 404):  # it has not started, or is gone
                return []
            raise
        return [stamped(container, line) for line in answer.split("\n") if line]

    found = client.each(lines, [container for pod in find(client, selector) for container in containers(pod)])
    for _, line in sorted((entry for part in found for entry in part), key=lambda entry: entry[0]):
        yield line
