"""YAML as the programs read it that it is meant for."""

import json
from pathlib import Path

import pytest

from ops.documents import load, load_all
from ops.manifests.render import build

TEXTS = ("=", "<<", "1e-07", "1e3", "0o14", "0777", "1.", ".5", ".inf", "yes", "n", "12:30:45", "2026-12-24", "2001-12-14 21:59:43.10 -5")
NUMBERS = ("1e-07", "1e3", "100000000000000000000", "1.5e+300", "9223372036854775807", "0.1", "-1e-9")


@pytest.mark.parametrize(
    ("written", "read"),
    [("=", "="), ("<<", "<<"), ("2026-12-24", "2026-12-24"), ("1e+21", 1e21), ("'1e+21'", "1e+21"), ("0644", 420), ("12e", "12e")],
)
def test_a_value_is_read_as_kubectl_reads_it(written: str, read: object) -> None:
    found = load(f"value: {written}")
    assert isinstance(found, dict) and found == {"value": read} and isinstance(found["value"], type(read))


def test_what_kustomize_writes_is_what_it_was_given(tmp_path: Path) -> None:
    texts = {f"k{index}": value for index, value in enumerate(TEXTS)}
    numbers = {f"n{index}": value for index, value in enumerate(NUMBERS)}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}, "data": {**texts, "=": "key"}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    lines = ["apiVersion: example.com/v1", "kind: Window", "metadata: {name: x}", "spec:", *(f"  {k}: {v}" for k, v in numbers.items())]
    (tmp_path / "window.yaml").write_text("\n".join(lines))
    (tmp_path / "kustomization.yaml").write_text(json.dumps({"resources": ["config.yaml", "window.yaml"]}))
    found = {document["kind"]: document for document in load_all(build(tmp_path)) if isinstance(document, dict)}
    assert found["ConfigMap"]["data"] == config["data"]
    spec = found["Window"]["spec"]
    assert isinstance(spec, dict)
    assert {name: isinstance(value, int | float) and float(value) for name, value in spec.items()} == {
        name: float(value) for name, value in numbers.items()
    }
