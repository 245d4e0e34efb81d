"""What this machine keeps of a testbed in a container: kubeconfig, certificates, a kubectl; and whether it answers."""

import base64
import json
import os
import shutil
import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ops.errors import Failure
from ops.folders import home
from ops.testbed import engine
from ops.testbed.container.place import ContainerPlace
from ops.testbed.keep import write
from ops.testbed.model import CONTEXT, PARTS, Part, Testbed
from ops.testbed.probes import answers_http

if TYPE_CHECKING:
    from ops.testbed.container.apply import InnerTestbed
    from ops.testbed.container.facts import OuterEngine

CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")  # as the docker client names them


def check_programs(place: ContainerPlace, found: "OuterEngine") -> None:
    """Raise `Failure` before anything is done, where this machine lacks a client that the container cannot give."""
    from ops.testbed.container.apply import runs_here

    if not runs_here(found):
        _kubectl(place)


def remember_engine(place: ContainerPlace, parts: tuple[Part, ...] = ()) -> None:
    """Note on which engine the testbed is being started: `down` and the next `up` look there."""
    _write_record(place, parts)


def keep(place: ContainerPlace, answer: "InnerTestbed") -> Testbed:
    """Write what the clients of this machine need."""
    write(place.kubeconfig, answer.kubeconfig, 0o600)
    for name in CERTIFICATES:
        write(place.docker_config / name, answer.certificates[name], 0o600)
    settings = place.docker_config / "config.json"
    if not settings.exists():  # `docker login` and buildx write there too
        write(settings, json.dumps({**engine.client(), "cliPluginsExtraDirs": plugin_folders(place)}, indent=2), 0o600)
    # Beside kubectl, and not in a folder that may have another kubectl: both folders go to the front of the PATH.
    _docker(place).unlink(missing_ok=True)
    _docker(place).parent.mkdir(parents=True, exist_ok=True)
    _docker(place).symlink_to(_program("docker"))
    _write_record(place, answer.parts)
    return _value(place, answer.parts)


def running(place: ContainerPlace) -> Testbed | None:
    """The testbed, if it was started to the end and its registry, engine and API server answer."""
    parts = _parts(place)
    if not parts:
        return None
    try:
        if not answers_http(f"http://{place.registry}/v2/"):
            return None
        if "engine" in parts and not answers_http(f"{place.docker_host.replace('tcp', 'https', 1)}/_ping", _client(place)):
            return None
        if "cluster" in parts and not answers_http(f"{place.api}/readyz", _authority(place)):
            return None
        return _value(place, parts)
    except (OSError, ValueError, LookupError, Failure):
        return None


def forget(place: ContainerPlace, *, wipe: bool) -> None:
    """Remove what was written; kubectl, which the next one may use, only with `wipe`."""
    for path in (place.record, place.kubeconfig):
        path.unlink(missing_ok=True)
    for folder in (place.docker_config, *([place.tools] if wipe else ())):
        shutil.rmtree(folder, ignore_errors=True)


def plugin_folders(place: ContainerPlace) -> list[str]:
    """Where the user's own docker client looks for its plugins beside the system's folders."""
    own = Path(place.engine.get("DOCKER_CONFIG") or home() / ".docker")
    more: object = []
    with suppress(OSError, ValueError, AttributeError):
        more = json.loads((own / "config.json").read_text()).get("cliPluginsExtraDirs")
    return [str(own / "cli-plugins"), *(str(folder) for folder in (more if isinstance(more, list) else ()))]


def _value(place: ContainerPlace, parts: tuple[Part, ...]) -> Testbed:
    return Testbed(
        provider="container",
        registry=place.registry,
        docker_host=place.docker_host,
        docker_config=place.docker_config,
        docker_certificates=place.docker_config,
        kubeconfig=place.kubeconfig,
        context=CONTEXT,
        kubectl=_kubectl(place),
        docker=_docker(place),
        parts=parts,
    )


def _parts(place: ContainerPlace) -> tuple[Part, ...]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        names = json.loads(place.record.read_text())["parts"]
        return tuple(part for part in PARTS if part in names)
    return ()


def _write_record(place: ContainerPlace, parts: tuple[Part, ...]) -> None:
    draft = write(place.record.with_suffix(f".{os.getpid()}"), json.dumps({"engine": dict(place.engine), "parts": list(parts)}), 0o600)
    draft.replace(place.record)


def _authority(place: ContainerPlace) -> ssl.SSLContext:
    """The certificate authority of this testbed's API server; the server tells every client whether it is ready."""
    cluster = json.loads(place.kubeconfig.read_text())["clusters"][0]["cluster"]
    return ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())


def _client(place: ContainerPlace) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(place.docker_config / "ca.pem"))
    context.load_cert_chain(place.docker_config / "cert.pem", place.docker_config / "key.pem")
    return context


def _docker(place: ContainerPlace) -> Path:
    return place.tools / "docker"


def _kubectl(place: ContainerPlace) -> Path:
    own = place.tools / "kubectl"
    return own if own.exists() else _program("kubectl")


def _program(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise Failure("looking for the testbed's clients", f"there is no {name} on the PATH", f"Install {name}.")
    return Path(found)
