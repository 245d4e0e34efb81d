"""Compiled modules, where Python was told to write none.

Containers and build machines set PYTHONDONTWRITEBYTECODE so that nothing is written beside the modules. Nothing is then
in the checkout; but a verb that compiles 500 modules at every start is a second slower, so what it compiles is kept in the cache
folder. Invoke itself is imported before a line of ours runs: its modules are compiled once where Python looks for them, in the virtual
environment, as pip does when it installs a package, whatever that variable says.

A disk that is full cuts what Python writes, and Python fails at every later start on what was cut. So each file in the cache folder
ends with a checksum, and one that is not as it was written is compiled again; and what is put into the environment was read again before.
"""

import marshal
import os
import sys
from contextlib import suppress
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import source_hash
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_HEADER, _SUM = 16, 8  # bytes: a compiled module begins with what it was made from (PEP 552); a checksum of `source_hash`


class Checked(SourceFileLoader):
    """Python's own loader, whose compiled modules end with a checksum. `marshal` reads what it needs, and not what follows."""

    def get_data(self, path: str) -> bytes:
        """A file. Raises OSError for a compiled module that is not as it was written: Python compiles it again then."""
        data = super().get_data(path)
        if not path.endswith(tuple(BYTECODE_SUFFIXES)):
            return data
        body, checksum = data[:-_SUM], data[-_SUM:]
        if source_hash(body) != checksum:
            raise OSError(f"{path} is damaged")
        return body

    def set_data(self, path: str, data: "ReadableBuffer", *, _mode: int = 0o666) -> None:
        """Write a compiled module. What a full disk cuts is found by `get_data`."""
        super().set_data(path, bytes(data) + source_hash(data), _mode=_mode)


def keep() -> None:
    """Have the modules that are imported from now on compiled once. Changes nothing where Python keeps them by itself."""
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        from ops.folders import place

        _compile_what_came_before()
        with suppress(RuntimeError):  # no home folder; whether the folder can be written, Python finds out by itself
            sys.pycache_prefix = str(place() / "bytecode")
            sys.dont_write_bytecode = False
            kinds = ((ExtensionFileLoader, EXTENSION_SUFFIXES), (Checked, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES))
            sys.path_hooks.insert(0, FileFinder.path_hook(*kinds))
            sys.path_importer_cache.clear()


def _compile_what_came_before() -> None:
    """Compile the environment's modules that are imported already, each once."""
    if sys.prefix == sys.base_prefix:  # the system's Python: not ours to write to
        return
    specs = [spec for module in list(sys.modules.values()) if (spec := getattr(module, "__spec__", None))]
    for source, kept in ((spec.origin, spec.cached) for spec in specs if isinstance(spec.loader, SourceFileLoader)):
        if source and kept and source.startswith(sys.prefix + os.sep) and not os.path.exists(kept):  # noqa: PTH110 (no pathlib at a start)
            try:
                _compile(Path(source), Path(kept))
            except OSError:  # it may not be written, or the disk is full
                return


def _compile(source: Path, kept: Path) -> None:
    """Write a module's byte code, whole or not at all."""
    import py_compile

    new = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        py_compile.compile(str(source), str(new), doraise=True)
        if _loads(new):
            with new.open("rb") as file:
                os.fsync(file.fileno())
            new.replace(kept)
    except py_compile.PyCompileError:
        return
    finally:
        new.unlink(missing_ok=True)


def keep_for_children(folder: Path) -> None:
    """Have the programs that are started from here keep theirs in this folder, where Python was told to keep none."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        with suppress(OSError):
            _sweep(folder)
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder)


def _sweep(folder: Path) -> None:
    """Remove the compiled modules that an earlier run wrote and a full disk cut: those programs have Python's own loader."""
    stamp = folder / ".swept"
    since = stamp.stat().st_mtime if stamp.exists() else 0.0
    for place, _, names in os.walk(folder):
        for file in (Path(place) / name for name in names if name.endswith(tuple(BYTECODE_SUFFIXES))):
            if file.stat().st_mtime >= since and not _loads(file):
                file.unlink()
    if folder.is_dir():
        stamp.touch()


def _loads(file: Path) -> bool:
    try:
        marshal.loads(file.read_bytes()[_HEADER:])  # noqa: S302 (a run of these checks wrote it)
    except (EOFError, ValueError, TypeError):
        return False
    return True
