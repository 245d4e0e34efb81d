"""Server-side apply of one object, and what stands against it."""

import re
from dataclasses import dataclass

from ops.catalog.names import MANAGER
from ops.kube import write
from ops.kube.client import APPLY, Client
from ops.kube.discovery import Resource
from ops.kube.errors import ApiError
from ops.kube.objects import Object, key_of, text


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field of ours that another manager has set since."""

    path: str
    manager: str


def apply(client: Client, resource: Resource, wanted: Object, *, dry_run: bool = False, force: bool = False) -> Object:
    """Server-side apply, or with `dry_run` what it would make. `force` takes fields from other managers."""
    key = key_of(wanted)
    query = {"fieldManager": MANAGER, "fieldValidation": "Strict", "force": str(force).lower()} | ({"dryRun": "All"} if dry_run else {})
    return write.patch(client, resource.path(key.namespace, key.name), wanted, APPLY, query)


def validate(client: Client, resource: Resource, manifest: Object) -> None:
    """Have the API server check an object that is not there, and keep nothing. Raises `ApiError` where it is refused."""
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    write.create(client, resource.path(text(manifest, "metadata", "namespace")), manifest, query)


def conflicts(error: ApiError) -> tuple[Conflict, ...]:
    """The fields for whose sake the API server refused an apply, and who owns them."""
    if error.status != 409:
        return ()
    return tuple(
        Conflict(
            text(cause, "field"),
            manager.group(1) if (manager := re.search(r'conflict with "([^"]*)"', text(cause, "message"))) else "another",
        )
        for cause in error.causes
        if text(cause, "reason") == "FieldManagerConflict"
    )
