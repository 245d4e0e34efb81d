"""A small image for cluster tests: one static program, pushed to a registry by its HTTP API."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import httpx

SOURCE = Path(__file__).parent / "probe"


def build(folder: Path, go: str, version: str, architecture: str = "amd64") -> Path:
    """The program, compiled. Another version is another digest."""
    program = folder / f"probe-{version}-{architecture}"
    command = [go, "build", "-trimpath", "-ldflags", f"-s -w -X main.version={version}", "-o", str(program), "."]
    settings = {"CGO_ENABLED": "0", "GOARCH": architecture, "GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local"}
    subprocess.run(command, cwd=SOURCE, check=True, env={**os.environ, **settings})
    return program


def push(registry: str, repository: str, program: Path) -> str:
    """Push the program as an image and return its digest."""
    layer = _layer(program)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/probe"], "User": "1001"},
        "rootfs": {"type": "layers", "diff_ids": [_digest(gzip.decompress(layer))]},
    }
    blob = json.dumps(config).encode()
    with httpx.Client(base_url=f"http://{registry}", timeout=30) as http:
        for content in (layer, blob):
            _upload(http, repository, content)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": _descriptor("application/vnd.oci.image.config.v1+json", blob),
                "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
            }
        ).encode()
        headers = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        http.put(f"/v2/{repository}/manifests/{_digest(manifest)}", content=manifest, headers=headers).raise_for_status()
    return _digest(manifest)


def _layer(program: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("probe")
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as file:
            archive.addfile(entry, file)
    return gzip.compress(packed.getvalue(), mtime=0, compresslevel=1)


def _upload(http: httpx.Client, repository: str, content: bytes) -> None:
    started = http.post(f"/v2/{repository}/blobs/uploads/")
    started.raise_for_status()
    place = httpx.URL(started.headers["Location"])
    place = http.base_url.join(place).copy_merge_params({"digest": _digest(content)})
    http.put(place, content=content, headers={"Content-Type": "application/octet-stream"}).raise_for_status()


def _descriptor(kind: str, content: bytes) -> dict[str, str | int]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
