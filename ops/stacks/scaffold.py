"""The first files of a service, from its stack's folder of templates (infra/templates)."""

import re
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path("infra", "templates")
ENTRY = "entry.yaml"  # of a template: the service's entry in platform.yaml
_MODULE = "module"  # a folder of a template that is named as the service's module


def stacks(root: Path) -> list[str]:
    """The stacks that have templates."""
    return sorted(path.name for path in (root / FOLDER).iterdir() if path.is_dir())


def files(root: Path, stack: str, words: Mapping[str, str]) -> dict[Path, str]:
    """Every file of a new service by its path in the service's folder, the entry among them; `{{WORD}}` is replaced by `words[WORD]`.

    Raises KeyError for a word of a template that has no value.
    """
    template = root / FOLDER / stack
    found = {}
    for path in sorted(template.rglob("*.tmpl")):
        parts = [words["module"] if part == _MODULE else part for part in path.relative_to(template).with_suffix("").parts]
        found[Path(*parts)] = _filled(path.read_text(encoding="utf-8"), words)
    return found


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: words[match[1]], text)
