"""The Secrets of a rehearsal: on a testbed nobody has sealed any, so they are made up, once, and kept on this machine."""

import base64
from collections.abc import Mapping
from pathlib import Path

from ops.catalog import Catalog, Image, Store
from ops.config.local import Setting, environment, in_cluster, kept_secrets, secret_name
from ops.kube.objects import Object
from ops.secret import Secret


def secrets(catalog: Catalog, file: Path) -> list[Object]:
    """The Secret of every reader, with made-up values that `file` keeps: the same every time, so data stays readable."""
    setting = Setting(in_cluster(catalog), kept_secrets(catalog, file), {}, "0.0.0.0")  # noqa: S104 (inside a pod)
    known: dict[str, Image | Store] = {**catalog.images, **catalog.stores}
    made = []
    for name, entry in known.items():
        names = {variable.name for variable in catalog.variables_of(name) if variable.secret}
        values = {key: value for key, value in environment(catalog, name, setting).items() if key in names}
        if values:
            made.append(_manifest(secret_name(name), entry.namespace, values))
    return made


def _manifest(name: str, namespace: str, values: Mapping[str, Secret]) -> Object:
    data: Object = {key: base64.b64encode(value.reveal().encode()).decode() for key, value in values.items()}
    metadata: Object = {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": "nextai-rehearsal"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
