"""The decision records that code and documents name are there. Of all files, so that this is a part of `lint`, which reads them all."""

import re
from pathlib import Path

from ops.checks.files import tracked
from ops.errors import Failure

_NAMED = re.compile(r"docs/decisions/[\w./-]+\.md")


def check(root: Path) -> None:
    """Raises `Failure` with each file that names a record which is not there."""
    files = tracked(root, "*.py", "*.md", "*.yaml", "*.yml", "*.ts", "*.tsx", "*.go", "*.sql")
    named = {(name, file) for file in files for name in _NAMED.findall((root / file).read_text(encoding="utf-8", errors="ignore"))}
    if missing := sorted(f"{name} (in {file})" for name, file in named if not (root / name).exists()):
        raise Failure("looking for the decision records that are named", f"not there: {', '.join(missing)}", "Correct the names.")
