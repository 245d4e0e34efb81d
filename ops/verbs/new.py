"""`invoke new`: a service that starts, answers, has tests and passes every check, before anything is written in it."""

import re
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType

import yaml

from ops.catalog import Catalog, load
from ops.catalog.edit import with_entry
from ops.catalog.load import FILE
from ops.console import emit_json, machine_readable, say
from ops.errors import UsageError
from ops.exclusive import exclusive
from ops.folders import cache, short
from ops.local.interrupt import handled, uninterrupted
from ops.stacks import BuildPlace, kind_of, scaffold
from ops.verbs import new_record, sync
from ops.verbs.new_record import NewRecord, hash_of, replaced

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 40  # characters: Kubernetes takes 63, and hangs endings on it
_FIRST_PORT, _LOCAL = 8083, 10_000  # a service listens on the next free port, on this machine 10,000 above


def new(name: str, stack: str, *, dry_run: bool) -> int:
    """Make a service's folder from its stack's template, its entry in platform.yaml, and all that is derived from it.

    Where a step fails, the checkout is as it was. Raises `UsageError` for a name or a stack that cannot be.
    """
    root = load().root
    with _alone(root):
        _undo_killed(root, dry_run=dry_run)
        catalog = load()  # another `invoke new` may have added to it meanwhile
        _check(catalog, name, stack)
        port = _port(catalog)
        made = scaffold.files(root, stack, _words(catalog, name, port))
        entry = made.pop(Path(scaffold.ENTRY))
        folder = Path(yaml.safe_load(entry)[name]["path"])
        if (root / folder).exists():
            cause = f"the folder {folder} exists already"
            raise UsageError(f"making the service {name}", cause, "Choose another name, or remove the folder.")
        changed = [] if dry_run else _make(catalog, name, stack, {folder / path: text for path, text in made.items()}, entry)
    files = [str(folder / path) for path in made]
    if dry_run:
        say(f"{FILE} would get this entry:\n{entry}")
        for file in files:
            say(f"would write {file}")
        say("Then it would write what `invoke sync` derives from the entry, and lock the packages.")
    else:
        say(f"Made {name}: {folder} ({len(made)} files), its entry in {FILE}, and {len(changed)} derived files.", style="bold green")
        say(f"It listens on port {port}, on this machine on {_LOCAL + port}.")
        say(f'Next: `nox -s "services({name})"`, then `invoke up`. `git status` shows all that was made.')
    if machine_readable():
        emit_json(
            {
                "service": name,
                "stack": stack,
                "folder": str(folder),
                "port": port,
                "localPort": _LOCAL + port,
                "entry": entry,
                "files": files,
                "derived": [str(path) for path in changed],
                "made": not dry_run,
            }
        )
    return 0


def _alone(root: Path) -> AbstractContextManager[None]:
    """One at a time in a checkout: each takes the next free port, and writes the files that all share."""
    return exclusive(_place(root, "lock"), "waiting for another `invoke new` in this checkout", say)


def _place(root: Path, kind: str) -> Path:
    """A file in the cache folder about what `invoke new` does in a checkout."""
    folder = cache() / "new"
    folder.mkdir(exist_ok=True)
    return folder / f"{short(root)}.{kind}"


def _undo_killed(root: Path, *, dry_run: bool = False) -> None:
    """Undo what an `invoke new` left that was killed. Raises `Refused` where somebody has gone on from there."""
    file = _place(root, "json")
    record = new_record.read(root, file)
    if dry_run:
        if record:
            say(f"would first undo what an `invoke new {record.name}` left that was killed: {record.folder}, its entry in {FILE}")
        return
    if record:
        if record.tracked():
            file.unlink()
            say(f"git tracks {record.folder}: what an `invoke new {record.name}` left that was killed stays. `invoke sync` completes it.")
            return
        new_record.check_unedited(record, sync.derived(load(root)), file)
        for kept in record.keep_changed_locks(file):
            say(f"{kept} is the lock file as it was found, with changes that may be somebody's; it is as before `invoke new {record.name}`")
        record.undo()
        sync.write(load(root))
        say(f"removed what an `invoke new {record.name}` left that was killed")
    file.unlink(missing_ok=True)


def _check(catalog: Catalog, name: str, stack: str) -> None:
    doing, stacks = f"making the service {name}", scaffold.stacks(catalog.root)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        cause = f"{name!r} is no name of a service: small letters, digits and single hyphens, {_LONGEST} characters at most"
        raise UsageError(doing, cause, f"Choose another, such as {_near(name)}.")
    if stack not in stacks:
        raise UsageError(doing, f"there is no template of the stack {stack!r}", f"Name one of: {', '.join(stacks)}.")
    if name in (*catalog.images, *catalog.stores):
        raise UsageError(doing, f"{FILE} has that name already", "Choose another.")
    if meaning := kind_of(stack).taken(catalog.root, name):
        raise UsageError(doing, f"{name!r} is {meaning}", f"Choose another, such as {name}-service.")
    if (catalog.root / "k8s/base" / name).exists():
        raise UsageError(doing, f"the folder k8s/base/{name} exists already", "Choose another name.")


def _near(name: str) -> str:
    """The name that was perhaps meant."""
    near = re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()).strip("-0123456789")[:_LONGEST].rstrip("-")
    return near if _NAME.fullmatch(near) else "channel-service"


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


def _make(catalog: Catalog, name: str, stack: str, made: dict[Path, str], entry: str) -> list[Path]:
    """Write everything; `made` by its path in the checkout. Returns the derived files that were written."""
    root, file = catalog.root, catalog.root / FILE
    grown = with_entry(file.read_text(encoding="utf-8"), "services", entry)
    folder = root / yaml.safe_load(entry)[name]["path"]
    shared_lock = kind_of(stack).shared_lock
    shared = (Path(FILE), *([shared_lock] if shared_lock else []))
    hashes = {path: hash_of(text.encode()) for path, text in {**made, Path(FILE): grown}.items()}
    record = NewRecord(root, name, folder.relative_to(root), {path: (root / path).read_bytes() for path in shared}, hashes)
    with _undone(record):
        for path, text in made.items():
            place = record.draft / path.relative_to(record.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        record.draft.rename(folder)
        replaced(file, grown.encode())  # after the folder: an entry without one would be a mistake
        loaded = load(root)
        changed = sync.write(loaded)
        service = loaded.services[name]
        if lock := kind_of(service.stack.name).lock:
            say(f"locking the packages of {name}")
            lock(BuildPlace(root, folder, service))
    return changed


@contextmanager
def _undone(record: NewRecord) -> Iterator[None]:
    """Where the block fails, or a signal ends it: the folder goes, the files are as they were, and what is derived from them too."""
    file = _place(record.root, "json")
    record.keep(file)

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        with handled(interrupt, signal.SIGTERM, signal.SIGHUP):
            yield
    except BaseException as error:
        with uninterrupted():
            record.undo()
            sync.write(load(record.root))
            file.unlink()
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt("interrupted; nothing was made") from None
        raise
    file.unlink()
