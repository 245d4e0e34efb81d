"""`invoke new`: a service that starts, answers, has tests and passes every check, before anything is written in it."""

import keyword
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.catalog import Catalog, load
from ops.catalog.edit import with_entry
from ops.catalog.load import FILE
from ops.command import run
from ops.console import emit_json, machine_readable, say
from ops.errors import UsageError
from ops.stacks import BuildPlace, kind_of, scaffold
from ops.verbs import sync

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40  # characters: Kubernetes takes 63, and hangs endings on it
_FIRST_PORT, _LOCAL = 8083, 10_000  # a service listens on the next free port, on this machine 10,000 above


def new(name: str, stack: str, *, dry_run: bool) -> int:
    """Make the folder `services/NAME` from its stack's template, its entry in platform.yaml, and all that is derived from it.

    Where a step fails, the checkout is as it was. Raises `UsageError` for a name or a stack that cannot be.
    """
    catalog = load()
    _check(catalog, name, stack)
    port = _port(catalog)
    made = scaffold.files(catalog.root, stack, _words(catalog, name, port))
    entry = made.pop(Path(scaffold.ENTRY))
    folder = Path("services", name)
    if dry_run:
        say(f"{FILE} would get this entry:\n{entry}")
        for file in made:
            say(f"would write {folder / file}")
    else:
        changed = _make(catalog, name, made, entry)
        say(f"Made {name}: {folder} ({len(made)} files), its entry in {FILE}, and {len(changed)} derived files.", style="bold green")
        say(f"It listens on port {port}, on this machine on {_LOCAL + port}.")
        say(f'Next: `nox -s "services({name})"`, then `invoke up`. `git status` shows all that was made.')
    if machine_readable():
        emit_json({"service": name, "folder": str(folder), "files": [str(folder / file) for file in made], "made": not dry_run})
    return 0


def _check(catalog: Catalog, name: str, stack: str) -> None:
    doing, stacks = f"making the service {name}", scaffold.stacks(catalog.root)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST or keyword.iskeyword(name):
        cause = f"{name!r} is no name of a service: small letters, digits and single hyphens, {_LONGEST} characters at most"
        raise UsageError(doing, cause, "Choose another, such as channel-service.")
    if name in (*catalog.images, *catalog.stores):
        raise UsageError(doing, f"{FILE} has that name already", "Choose another.")
    if stack not in stacks:
        raise UsageError(doing, f"there is no template of the stack {stack!r}", f"Name one of: {', '.join(stacks)}.")
    if (catalog.root / "services" / name).exists():
        raise UsageError(doing, f"the folder services/{name} exists already", "Choose another name, or remove the folder.")


def _port(catalog: Catalog) -> int:
    services, stores = catalog.services.values(), catalog.stores.values()
    local = {entry.local_port for entry in services} | {entry.local_port for entry in stores}
    taken = {service.port for service in services} | {port - _LOCAL for port in local}
    return next(port for port in range(_FIRST_PORT, 65_536 - _LOCAL) if port not in taken)


def _words(catalog: Catalog, name: str, port: int) -> dict[str, str]:
    counted = {name: 2 if catalog.environments[name].protected else 1 for s in catalog.services.values() for name in s.replicas}
    return {
        "name": name,
        "module": name.replace("-", "_"),
        "description": f"What {name} is for, in one sentence.",
        "port": str(port),
        "local_port": str(_LOCAL + port),
        "namespace": catalog.namespaces[0],
        "replicas": f"{{{', '.join(f'{environment}: {count}' for environment, count in counted.items())}}}",
    }


def _make(catalog: Catalog, name: str, made: dict[Path, str], entry: str) -> list[Path]:
    """Write everything. Returns the derived files that were written."""
    folder, file = catalog.root / "services" / name, catalog.root / FILE
    with _undone(folder, file, catalog.root / "pnpm-lock.yaml"):
        for path, text in made.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        file.write_text(with_entry(file.read_text(encoding="utf-8"), "services", entry), encoding="utf-8")
        grown = load(catalog.root)
        changed = sync.write(grown)
        service = grown.services[name]
        if lock := kind_of(service.stack.name).lock:
            say(f"locking the packages of {name}")
            run(lock(BuildPlace(catalog.root, folder, service)))
    return changed


@contextmanager
def _undone(folder: Path, *files: Path) -> Iterator[None]:
    """Where the block fails: the folder goes, the files are as they were, and what is derived from the catalogue too."""
    before = {file: file.read_bytes() for file in files}
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        for file, content in before.items():
            if file.read_bytes() != content:
                file.write_bytes(content)
        sync.write(load(files[0].parent))
        raise
