"""What a rehearsal needs before its first plan: the namespaces of the Secrets, and Secrets with made-up values."""

from collections.abc import Iterator

from ops.catalog import Catalog
from ops.cluster.client import Client
from ops.cluster.facts import apply
from ops.cluster.objects import Object, key_of, text
from ops.config import rehearsal
from ops.tools import cache


def seed(catalog: Catalog, client: Client) -> Iterator[str]:
    """Make the Secrets that are missing; those that are there stay as they are. Yields a line for each that is made."""
    file = cache() / "rehearsal" / f"{client.target.environment.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    for manifest in rehearsal.secrets(catalog, file):
        namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": text(manifest, "metadata", "namespace")}}
        for wanted in (namespace, manifest):
            if not _exists(client, wanted):
                apply(client, client.resource_of(wanted), wanted)
                yield f"rehearsal: made {key_of(wanted)}"


def _exists(client: Client, manifest: Object) -> bool:
    key = key_of(manifest)
    return client.get(client.resource_of(manifest), key.namespace, key.name) is not None
