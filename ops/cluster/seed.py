"""What a rehearsal needs before its first plan: the namespaces of the Secrets, and Secrets with made-up values."""

from collections.abc import Iterator
from functools import partial

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
    secrets = rehearsal.secrets(catalog, file)
    names = dict.fromkeys(text(secret, "metadata", "namespace") for secret in secrets)
    namespaces: list[Object] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
    wanted = [*namespaces, *secrets]
    client.resource_of(wanted[0])  # the kinds are asked for once, not by eight threads
    for manifest, there in zip(wanted, client.each(partial(_exists, client), wanted), strict=True):
        if not there:
            apply(client, client.resource_of(manifest), manifest)
            yield f"rehearsal: made {key_of(manifest)}"


def _exists(client: Client, manifest: Object) -> bool:
    key = key_of(manifest)
    return client.get(client.resource_of(manifest), key.namespace, key.name) is not None
