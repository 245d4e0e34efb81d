"""`.env.example` may be copied to `.env.local` as it is, and every line of it may be set."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from ops import catalog as catalogue
from ops.catalog import Catalog
from ops.config import example
from ops.config import local as config
from ops.secret import Secret

CATALOG = catalogue.load()
TEXT = example.text(CATALOG)


def everything(catalog: Catalog, addresses: dict[str, config.Address]) -> dict[str, dict[str, str]]:
    secrets = {name: Secret(f"secret of {name}, long enough for all") for name in config.generated(catalog)}
    setting = config.Setting(addresses, secrets, config.overrides(catalog), "127.0.0.1")
    names = (*catalog.services, *catalog.jobs, *catalog.stores)
    return {name: {key: value.reveal() for key, value in config.environment(catalog, name, setting).items()} for name in names}


def test_every_variable_is_in_it_but_those_that_each_service_has_of_its_own() -> None:
    assert set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", TEXT, re.M)) == CATALOG.variables.keys() - {"HOST", "PORT"}


@pytest.mark.parametrize("form", [config.on_this_machine, config.in_containers])
def test_a_copy_changes_no_value_of_anybody(tmp_path: Path, form: object) -> None:
    assert callable(form)
    here = replace(CATALOG, root=tmp_path)
    before = everything(here, form(here))
    (tmp_path / config.OVERRIDES).write_text(TEXT)
    assert config.overrides(here)
    assert everything(here, form(here)) == before


def test_every_example_is_a_value_that_its_variable_may_have(tmp_path: Path) -> None:
    set_by_hand = re.sub(r"^#([A-Z][A-Z0-9_]*=)", r"\1", TEXT, flags=re.M)
    (tmp_path / config.OVERRIDES).write_text(set_by_hand)
    values = config.overrides(replace(CATALOG, root=tmp_path))
    assert values["DATABASE_URL"].reveal() == "postgresql://nextai:PASSWORD@127.0.0.1:15432/nextai_agent"
    assert values["MILVUS_PORT"].reveal() == str(CATALOG.stores["milvus"].local_port)
