"""The pods of what bears a name: a service, a job or a store."""

from dataclasses import dataclass

from ops.catalog.model import Catalog
from ops.errors import UsageError
from ops.guess import did_you_mean
from ops.kube.client import Client
from ops.kube.objects import WORKLOADS, Key, Object, rows, table, text


@dataclass(frozen=True, slots=True)
class Selector:
    """Which pods: those of a namespace that have these labels, and these fields where there are any."""

    namespace: str
    labels: str = ""
    fields: str = ""

    @property
    def path(self) -> str:
        """Where the API has them."""
        return f"/api/v1/namespaces/{self.namespace}/pods"

    @property
    def query(self) -> dict[str, str]:
        """What the API is asked."""
        return {k: v for k, v in (("labelSelector", self.labels), ("fieldSelector", self.fields)) if v}


def selector_of(catalog: Catalog, client: Client, name: str) -> Selector:
    """The pods of what bears this name. Raises `UsageError` when nothing of that name runs."""
    for namespace in catalog.namespaces:
        for kind in WORKLOADS:
            resource = client.by_key(Key(kind, "", "", "apps"))
            found = client.get(resource, namespace, name) if resource else None
            if found is not None:
                labels = table(found, "spec", "selector", "matchLabels")
                return Selector(namespace, ",".join(f"{k}={v}" for k, v in sorted(labels.items())))
        jobs = client.by_key(Key("Job", "", "", "batch"))
        named = [j for j in client.find(jobs, namespace) if is_run(catalog, name, text(j, "metadata", "name"))] if jobs else []
        if named:
            newest = max(named, key=lambda j: text(j, "metadata", "creationTimestamp"))
            return Selector(namespace, f"batch.kubernetes.io/job-name={text(newest, 'metadata', 'name')}")
    known = [*catalog.services, *catalog.jobs, *catalog.stores]
    raise UsageError(
        f"looking for the pods of {name}",
        f"nothing of that name runs in {', '.join(catalog.namespaces)}{did_you_mean(name, known)}",
        "`invoke status` shows what runs.",
    )


def is_run(catalog: Catalog, name: str, job: str) -> bool:
    """Whether a Job is a run of the job of this name, and not of one whose name only begins with it."""
    longer = (other for other in catalog.jobs if other != name and other.startswith(f"{name}-"))
    return job.startswith(f"{name}-") and not any(job.startswith(f"{other}-") for other in longer)


def find(client: Client, selector: Selector) -> list[Object]:
    """The pods that there are now."""
    return rows(client.request("GET", selector.path, selector.query), "items")
