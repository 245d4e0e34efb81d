"""Builds that use nothing of what the builder has kept."""

import json

import pytest

from ops.images import bake


def build_without_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, until the test ends, every step of every build is done again."""
    whole = bake.bakefile

    def uncached(*arguments: object, **options: object) -> dict[str, dict[str, dict[str, object]]]:
        document: dict[str, dict[str, dict[str, object]]] = json.loads(json.dumps(whole(*arguments, **options)))  # type: ignore[arg-type]
        if options.get("versions") is None:  # the second time, the builder takes what it made the first time
            for target in document["target"].values():
                target["no-cache"] = True
        return document

    monkeypatch.setattr(bake, "bakefile", uncached)
