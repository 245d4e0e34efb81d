"""The image of the migration Job with more migrations than the checkout has."""

import io
import json
import shutil
import tarfile
from pathlib import Path

from docker import DockerClient

PLACE = "packages/db/migrations"


def add(client: DockerClient, base: str, checkout: Path, folder: Path, tag: str, sql: str) -> None:
    """Make an image `tag` of the image `base`: the checkout's migrations, and one more after them."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(checkout / PLACE, folder / PLACE)
    journal = folder / PLACE / "meta/_journal.json"
    document = json.loads(journal.read_text())
    last = document["entries"][-1]
    document["entries"].append({**last, "idx": last["idx"] + 1, "when": last["when"] + 1, "tag": f"{last['idx'] + 1:04}_added"})
    journal.write_text(json.dumps(document))
    (folder / PLACE / f"{last['idx'] + 1:04}_added.sql").write_text(sql)
    (folder / "Dockerfile").write_text(f"FROM {base}\nCOPY packages /app/packages\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(folder, ".")
    packed.seek(0)
    client.images.build(fileobj=packed, custom_context=True, tag=tag, rm=True)
