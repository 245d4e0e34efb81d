"""YAML documents as the Go and JavaScript programs read them whose files these are.

PyYAML follows YAML 1.1 further than they do: `=` and `<<` as values are nothing it can make, some texts are dates to it, and `1e+21`,
as kustomize writes it, is a text to it.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import yaml

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def load(text: str) -> Json:
    """The one document of a text. Raises `yaml.YAMLError`."""
    import yaml

    found: Json = yaml.load(text, Loader=_loader())  # noqa: S506 - it is a SafeLoader
    return found


def load_all(text: str) -> list[Json]:
    """All documents of a text. Raises `yaml.YAMLError`."""
    import yaml

    return list(yaml.load_all(text, Loader=_loader()))


@cache
def _loader() -> "type[yaml.SafeLoader]":
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Safe, in C where there is that."""

    def as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
        return loader.construct_scalar(node)

    for kind in ("value", "merge", "timestamp"):
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", as_text)
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789"))
    return Loader
