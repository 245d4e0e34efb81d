"""A catalogue of two services, a job and a store, in a folder of its own, for tests of what a catalogue may say."""

from pathlib import Path

import pytest

from ops import catalog
from ops.errors import UsageError

GOOD = """\
platform: demo
registry: registry.example
prefix: demo
stacks:
  go: {dockerfile: go.Dockerfile, test: [go, test], user: 1001}
services:
  a: {stack: go, path: a, port: 8001, localPort: 18001, namespace: n, needs: [b, db], routes: []}
  b: {stack: go, path: b, port: 8002, localPort: 18002, namespace: n, routes: [{prefix: /b}]}
jobs:
  j: {stack: go, path: a, namespace: n}
stores:
  db: {image: "postgres:17", port: 5432, localPort: 15432, namespace: n, data: /data}
namespaces: [n]
database: {store: db, name: x, user: x, migrations: m, job: j}
environments:
  local: {kind: local, domain: "localhost:1"}
  staging: {kind: kubernetes, domain: s.example, overlay: o, cluster: {context: s, server: "https://s"}}
variables:
  PORT: {type: port, readers: all, description: Port}
  B_URL: {type: url, required: true, readers: [a], description: Where b is}
  KEY: {required: true, secret: true, readers: [a], description: A key}
nodes: linux/amd64
"""


# What is derived of a store is of its kind.
SYNCED = GOOD.replace("needs: [b, db]", "needs: [b, postgres]").replace("  db: {", "  postgres: {").replace("store: db", "store: postgres")


def checkout(folder: Path, text: str) -> Path:
    for name in ("a", "b", "m", "o"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "go.Dockerfile").touch()
    (folder / "platform.yaml").write_text(text)
    return folder


def mistakes(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as refusal:
        catalog.load(checkout(folder, text))
    assert refusal.value.code == 2
    return refusal.value.cause
