"""The `kubernetes` package without what a deploy does not use.

Importing it whole takes half a second: 700 model classes, 60 API classes and a dynamic client, and this room sends plain
JSON. So the packages are put in place unexecuted. Their submodules are imported as ever, and whoever asks for another name
makes the package execute its own `__init__`, as if it had been imported in the usual way.
"""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Mapping
from typing import Final

# What kubernetes/config imports from `kubernetes.client`, and where it lies.
_CLIENT: Final = {"ApiClient": "api_client", "Configuration": "configuration"}
_WHOLE = threading.RLock()  # held while a package executes its own __init__, which imports others of these


def prepare() -> None:
    """Make the imports of `kubernetes` that follow cheap. Does nothing where it has been imported already."""
    if "kubernetes" not in sys.modules:
        _hold_back("kubernetes", {})
        _hold_back("kubernetes.client", _CLIENT)
        _hold_back("kubernetes.client.models", {})


def _hold_back(name: str, known: Mapping[str, str]) -> None:
    """Put a package in place whose `__init__` runs only when a name is asked for that neither `known` nor a submodule gives."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(name=name)
    loader, module = spec.loader, importlib.util.module_from_spec(spec)
    whole = False

    def find(attribute: str) -> object:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        if attribute in known:
            return getattr(importlib.import_module(f"{name}.{known[attribute]}"), attribute)
        if importlib.util.find_spec(f"{name}.{attribute}"):
            return importlib.import_module(f"{name}.{attribute}")
        nonlocal whole
        with _WHOLE:  # whoever asks from another thread waits for all of it
            if not whole:
                whole = True
                loader.exec_module(module)
        if attribute not in vars(module):
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return vars(module)[attribute]

    module.__getattr__ = find  # type: ignore[method-assign]
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
