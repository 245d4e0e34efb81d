"""How derived manifests are written: YAML in the order in which it was made, with a first line that says who writes it."""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from ops.documents import Json

if TYPE_CHECKING:
    import yaml

MARK = "# Written by `invoke sync` from platform.yaml: change that."


def file(documents: Iterable[Json], more: str = "") -> str:
    """The text of a derived file. `more` goes on in its first line."""
    return f"{MARK}{more}\n" + "---\n".join(map(document, documents))


def document(value: Json) -> str:
    """One document as yamllint wants it: items of a list are indented, and nothing is an alias of something else."""
    import yaml

    text: str = yaml.dump(value, Dumper=_dumper(), sort_keys=False, width=140)
    return text


@cache
def _dumper() -> "type[yaml.SafeDumper]":
    import yaml

    class Dumper(yaml.SafeDumper):
        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    return Dumper
