"""What the API server of the testbed wrote down: who asked for what."""

import json
from typing import Any

from ops.testbed import Testbed


def events(testbed: Testbed) -> list[dict[str, Any]]:
    """Every event so far; none where the testbed is somebody's own cluster. The server may be writing the next one: half a line is none."""
    if testbed.audit_log is None:
        return []
    whole, _, _ = testbed.audit_log.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def writes(testbed: Testbed, *namespaces: str) -> int:
    """How many requests of deploys into these namespaces (and to these namespaces themselves) were to change something."""
    ours = [event for event in events(testbed) if event.get("userAgent", "").startswith("nextai-deploy")]
    changing = [e for e in ours if e["verb"] not in ("get", "list", "watch") and "dryRun" not in e["requestURI"]]
    places = [e.get("objectRef", {}) for e in changing]
    return sum(place.get("namespace", place.get("name")) in namespaces for place in places)
