"""Compiled modules, where Python was told to write none.

Containers and build machines set PYTHONDONTWRITEBYTECODE so that nothing is written beside the modules. Nothing is then;
but a verb that compiles 500 modules at every start is a second slower, so what it compiles is kept in the cache folder.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path


def keep() -> None:
    """Have the modules that are imported from now on compiled once. Changes nothing where Python keeps them by itself."""
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        from ops.tools.cachefolder import place

        with suppress(RuntimeError):  # no home folder; whether the folder can be written, Python finds out by itself
            sys.pycache_prefix = str(place() / "bytecode")
            sys.dont_write_bytecode = False


def keep_for_children(folder: Path) -> None:
    """Have the programs that are started from here keep theirs in this folder, where Python was told to keep none."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(folder)
