"""What people read, kept as files in `tests/golden`: a changed word is seen in review, and read as a whole.

`uv run pytest tests/unit/test_golden.py --golden` rewrites them; read the difference before you commit it.
"""

import difflib
import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "golden"
REMEDY = "If the new words are better: `uv run pytest tests/unit/test_golden.py --golden`, then read the difference and commit it."


def compare(name: str, text: str, *, rewrite: bool, folder: Path = FOLDER) -> None:
    """Fail with the difference where a golden file has other text; with `rewrite`, write the file. CI never rewrites."""
    file = folder / f"{name}.txt"
    if rewrite:
        if os.environ.get("CI"):
            pytest.fail("--golden is for a person who reads the difference: it is refused where CI is set")
        file.write_text(text, encoding="utf-8")
        return
    there = file.read_text(encoding="utf-8") if file.exists() else ""
    if there != text:
        lines = difflib.unified_diff(there.splitlines(), text.splitlines(), f"tests/golden/{file.name}", "now", lineterm="")
        pytest.fail("\n".join([*lines, REMEDY]), pytrace=False)
