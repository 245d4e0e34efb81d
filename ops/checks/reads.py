"""What a session reads of the checkout, as it declares it: rather too much than too little.

Everything is read, unless a session says of files that it reads their names only. So a new file is run for at once, and what nobody
thought of counts. `ops/checks/trace.py` compares with what is really read.
"""

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import cache

from ops.catalog import Catalog

ASKED = ("__init__.py", "pyvenv.cfg", "conda-meta/history")  # what pytest asks each folder for that lies beside those it collects


@dataclass(frozen=True, slots=True)
class Reads:
    """Patterns of paths, relative to the checkout; `*` is any text, with "/" too.

    `names_only`: of these files the names and modes count, and not the contents. `but`: of those, the ones that are read all the same.
    `unseen`: folders of which nothing counts but `ASKED`, since the session neither lists them nor looks at what else is in them.
    `days`: the answer changes with the day, too, since something outside that changes decides it.
    """

    names_only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    days: bool = False

    def named(self, path: str) -> bool:
        """Whether the name and the mode of this file count, as everything does that is not in an unseen folder."""
        folder = next((folder for folder in self.unseen if path.startswith(f"{folder}/")), None)
        return folder is None or path.removeprefix(f"{folder}/") in ASKED

    def content(self, path: str) -> bool:
        """Whether the content of this file counts."""
        return self.named(path) and (not _any(self.names_only).match(path) or _any(self.but).match(path) is not None)


EVERYTHING = Reads()
DOCUMENTS = ("docs/*", "README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def without_sources(catalog: Catalog, *names_only: str, but: tuple[str, ...] = ()) -> Reads:
    """All but what the services and jobs are made of: what lies in a folder of one, or of a shared package, except the migrations."""
    sources = (*catalog.services.values(), *catalog.other_jobs.values())
    folders = dict.fromkeys(folder for image in sources for folder in (image.path, *image.packages))
    return Reads((*(f"{folder}/*/*" for folder in folders), *names_only), (f"{catalog.database.migrations}/*", *but))


def own(catalog: Catalog, folders: tuple[str, ...], *names_only: str) -> Reads:
    """What the tests of a service or a package read: of the others' sources nothing."""
    return without_sources(catalog, *names_only, but=tuple(f"{folder}/*" for folder in folders))


@cache
def _any(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns) or r"(?!)")
