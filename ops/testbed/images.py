"""Stand-ins for official images, made here and kept as archives: in the engine under the official names, and in the registry."""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache as once
from functools import partial
from pathlib import Path
from typing import Final

from ops.command import Command, run
from ops.errors import Failure
from ops.retry import Policy, Transient, persist
from ops.say import Say
from ops.testbed.fetch import KEYRING, mirror
from ops.testbed.keep import kept, key_of, text_of, write
from ops.testbed.layout import SOURCES, Layout
from ops.testbed.processes import environment

BUILDING: Final = Policy(tries=3, first=5.0, seconds=1800.0)  # a mirror that fails once; what was built before it is not built again
KEY_LABEL = "com.nextai-agent.testbed.key"
STAND_IN_LABEL = "com.nextai-agent.testbed.stand-in"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
TRUST = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PIP_CERT", "REQUESTS_CA_BUNDLE")
# Where this machine is told to fetch packages from; builds inherit it from the base image, so that no Dockerfile needs to know.
SETTINGS = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "NPM_CONFIG_REGISTRY",
    "GOPROXY",
    "GONOSUMDB",
    "GOSUMDB",
    "GOPRIVATE",
)
BOOTSTRAP = (
    "--variant=minbase",
    "--include=ca-certificates",
    "--mode=root",  # the tree is changed afterwards
    "--format=directory",
    "--aptopt=APT::Install-Recommends false",
    f"--keyring={KEYRING}",
    # As the official image has it: no pages that nobody reads, and no waiting for the disk after every file.
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("man", "doc", "info", "locale")),
    "--dpkgopt=force-unsafe-io",
    "--customize-hook=rm -rf $1/var/lib/apt/lists/* $1/var/cache/apt/*.bin",
)


@dataclass(frozen=True, slots=True)
class StandIn:
    """An image: its official name, the folder it is built from ("" for the one below all), the one it stands on."""

    name: str
    folder: str = ""
    base: str = ""
    served: bool = False  # also in the registry, where the cluster asks for it


DEBIAN = StandIn("debian:trixie-slim", served=True)  # `invoke shell` has it beside a pod
_SERVED = "python"  # the base image that pods of the testbed's own tests have too
LISTED = SOURCES.parents[1] / "stand-ins.json"  # inside the testbed's container, where the catalogue is not


@once
def stand_ins() -> tuple[StandIn, ...]:
    """Every stand-in, each after the one that it stands on: the catalogue's base images and stores that have a folder.

    A base image's folder has the name of its repository, a store's that of its kind. Raises `Failure` where a Dockerfile
    begins with an image that the catalogue does not name.
    """
    if LISTED.exists():
        return tuple(StandIn(**entry) for entry in json.loads(LISTED.read_text("utf-8")))
    from ops import catalog

    known = catalog.load()
    bases = {base: base.partition(":")[0] for stack in known.stacks.values() for base in stack.bases.values()}
    stores = {store.image: store.kind for store in known.stores.values()}
    folders = {name: folder for name, folder in {**bases, **stores}.items() if _dockerfile(folder).exists()}
    made = [StandIn(name, folder, _base(folder), name in stores or folder == _SERVED) for name, folder in folders.items()]
    found = {image.name: image for image in (DEBIAN, *made)}
    return tuple(sorted(found.values(), key=partial(_height, found)))


def _dockerfile(folder: str) -> Path:
    return SOURCES / "images" / folder / "Dockerfile"


def _base(folder: str) -> str:
    """The image that a Dockerfile's first stage begins with; what its other stages begin with stands below that one."""
    first = re.search(r"^FROM (\S+)", _dockerfile(folder).read_text(encoding="utf-8"), re.MULTILINE)
    return first[1] if first else ""


def _height(found: Mapping[str, StandIn], image: StandIn) -> int:
    """How many images an image stands on."""
    if not image.base:
        return 0
    if image.base not in found:
        cause = f"{_dockerfile(image.folder)} begins with {image.base}, and {DEBIAN.name} and platform.yaml name no such image"
        raise Failure("looking for the stand-ins", cause, f"Have it begin with one of: {', '.join(found)}.")
    return 1 + _height(found, found[image.base])


def listing() -> str:
    """The text of `LISTED`."""
    return json.dumps([asdict(image) for image in stand_ins()])


def settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What every stand-in has in its environment: trust in what this machine trusts, and its package sources.

    An address with a password in it is left out: an image is no place for one.
    """
    found = {name: value for name in SETTINGS if (value := environ.get(name) or environ.get(name.lower())) and "@" not in value}
    return {**dict.fromkeys(TRUST, str(BUNDLE)), **found}


def keys(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Official name → key of everything that the stand-in is made from, the image below it included."""
    inherited = settings(os.environ if environ is None else environ)
    found: dict[str, str] = {}
    for image in stand_ins():
        if image.folder:
            sources = text_of(path for path in (SOURCES / "images" / image.folder).iterdir() if path.is_file())
            found[image.name] = key_of(found[image.base], *sources)
        else:
            bundle = BUNDLE.read_text() if BUNDLE.exists() else ""
            found[image.name] = key_of(*BOOTSTRAP, str(sorted(inherited.items())), bundle)
    return found


def reference(name: str) -> str:
    """The path of an official name in a registry: `postgres:18` is `library/postgres:18`."""
    return name if "/" in name else f"library/{name}"


def ready(layout: Layout, say: Say) -> None:
    """Bring every stand-in into the engine, and those that the cluster needs into the registry."""
    wanted, there = keys(), loaded(layout)
    for image in stand_ins():
        key = wanted[image.name]
        if there.get(image.name) != key:
            archive = kept(_archive(layout, image, key), partial(_make, layout, image, key), f"making a stand-in for {image.name}", say)
            _docker(layout, f"loading {image.name}", "load", "--quiet", "--input", str(archive / "image.tar"))
        if image.served and not _is_served(layout, image, key):
            _serve(layout, image, key)


def complete(layout: Layout) -> bool:
    """Whether every stand-in is where it belongs, made from the sources as they are now."""
    wanted = keys()
    return loaded(layout) == wanted and all(_is_served(layout, image, wanted[image.name]) for image in stand_ins() if image.served)


def loaded(layout: Layout) -> dict[str, str]:
    """Official name → key of the stand-in that the engine has under it."""
    names = [image.name for image in stand_ins()]
    form = f'{{{{json .RepoTags}}}} {{{{index .Config.Labels "{KEY_LABEL}"}}}}'
    argv = (f"{layout.bin}/docker", "image", "inspect", "--format", form, *names)
    answer = run(Command(argv, "asking the engine for the stand-ins", env=environment(layout)), check=False).stdout
    found: dict[str, str] = {}
    for line in answer.splitlines():
        tags, _, key = line.rpartition(" ")
        if not tags:  # an image of that name which is not a stand-in, or the empty line that stands for none at all
            continue
        found |= {tag: key for tag in json.loads(tags) if tag in names}
    return found


def _make(layout: Layout, image: StandIn, key: str, work: Path) -> None:
    """Build an image in the engine, and save it: another engine then gets the very same one, digest and all."""
    labels = {
        KEY_LABEL: key,
        STAND_IN_LABEL: "true",
        "org.opencontainers.image.description": f"A stand-in for {image.name}, made for a testbed",
    }
    if image.folder:
        options = [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        build = ("build", "--progress=plain", "--provenance=false", "--tag", image.name, *options, str(SOURCES / "images" / image.folder))
        persist(lambda _: _built(layout, image, build), BUILDING)
    else:
        _bootstrap(layout, work, labels)
    _docker(layout, f"keeping {image.name}", "save", "--output", f"{work}/image.tar", image.name)


def _built(layout: Layout, image: StandIn, build: Sequence[str]) -> None:
    """One try to build a stand-in: what it fetches packages from may fail for a moment."""
    try:
        _docker(layout, f"building a stand-in for {image.name}", *build)
    except Failure as failure:
        raise Transient(failure) from failure


def _bootstrap(layout: Layout, work: Path, labels: Mapping[str, str]) -> None:
    """The image below all others: Debian's minimal system, with the certificates that this machine trusts."""
    root, tar = work / "root", work / "root.tar"
    argv = (f"{layout.bin}/mmdebstrap", *BOOTSTRAP, "trixie", str(root), mirror())
    run(Command(argv, "making a Debian root file system", env=environment(layout), remedy="Check that Debian's mirror can be reached."))
    if BUNDLE.exists():
        shutil.copy(BUNDLE, root / BUNDLE.relative_to("/"))
    # What the official images have apt do: no recommended packages' translations, no archives kept in a layer.
    write(root / "etc/apt/apt.conf.d/90slim", 'Acquire::Languages "none";\nAPT::Keep-Downloaded-Packages "false";\n')
    run(
        Command(("tar", "--numeric-owner", "--exclude=./dev/*", "-C", str(root), "-cf", str(tar), "."), "packing a Debian root file system")
    )
    shutil.rmtree(root)
    lines = ['CMD ["bash"]', *(f"ENV {name}={value}" for name, value in settings(os.environ).items())]
    lines += [f'LABEL {name}="{value}"' for name, value in labels.items()]
    changes = [word for line in lines for word in ("--change", line)]
    _docker(layout, f"importing {DEBIAN.name}", "import", *changes, str(tar), DEBIAN.name)
    tar.unlink()


def _archive(layout: Layout, image: StandIn, key: str) -> Path:
    return layout.cache / "images" / f"{image.folder or 'debian'}-{key}"


def _serve(layout: Layout, image: StandIn, key: str) -> None:
    tag = f"{layout.registry}/{reference(image.name)}"
    _docker(layout, f"naming {image.name}", "tag", image.name, tag)
    _docker(layout, f"pushing {image.name} to the testbed's registry", "push", "--quiet", tag)
    _docker(layout, f"naming {image.name}", "rmi", "--no-prune", tag)
    write(_mark(layout, image), key)


def _is_served(layout: Layout, image: StandIn, key: str) -> bool:
    mark = _mark(layout, image)
    return mark.exists() and mark.read_text() == key


def _mark(layout: Layout, image: StandIn) -> Path:
    """Lies beside the registry's data and goes with them."""
    return layout.state / "registry" / "served" / (image.folder or "debian")


def _docker(layout: Layout, doing: str, *words: str) -> None:
    run(Command((f"{layout.bin}/docker", *words), doing, env=environment(layout), remedy=f"See {layout.logs}/dockerd.log."))
