"""An image of one static program, written without any builder: a tar archive as `docker save` makes it."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from ops.say import Say
from ops.testbed.keep import kept, key_of
from ops.testbed.layout import Layout

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def of_program(layout: Layout, name: str, program: Path, say: Say) -> Path:
    """The archive of an image called `name` whose entry point is `program`. The program's folder is named by its sources."""
    target = layout.cache / "images" / f"{program.name}-{key_of(name, program.parent.name)}"
    return kept(target, lambda work: _write(work / "image.tar", name, program), f"packing {name}", say) / "image.tar"


def _write(path: Path, name: str, program: Path) -> None:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        _add(tar, program.name, program.read_bytes(), 0o755)
    blob = layer.getvalue()
    config = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": [f"/{program.name}"], "User": "65532:65532"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(blob).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        _add(tar, "config.json", json.dumps(config).encode())
        _add(tar, "layer.tar", blob)
        _add(tar, "manifest.json", json.dumps(manifest).encode())


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))
