"""A copy of this checkout."""

import shutil
from pathlib import Path

from ops import catalog
from ops.checks.files import tracked
from ops.checks.reads import Reads, without_sources

ROOT = Path(__file__).resolve().parents[1]


def copy_without_sources(folder: Path) -> None:
    """What the build system reads of it: all but what the services are made of."""
    copy(folder, without_sources(catalog.load(ROOT)))


def copy(folder: Path, reads: Reads) -> None:
    """The files whose contents count."""
    for name in filter(reads.content, tracked(ROOT, ".")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
