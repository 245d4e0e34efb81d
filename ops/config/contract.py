"""The variable contract as each service reads it: `contract.json` in the service's folder, derived from the catalogue."""

import json
from collections.abc import Iterator
from pathlib import Path

from ops.catalog import Catalog, Image, Service, Variable, url_variable
from ops.catalog.reference import page
from ops.catalog.schema import schema

FILE = "contract.json"


def contract(catalog: Catalog, service: Image) -> dict[str, object]:
    """The contract of a service or job: its variables, for the gateway (who needs the routed services) the routes, and for who asks the
    gateway those of them that are streams."""
    asked = [route for need in service.needs if need in catalog.services for route in _routes(catalog, catalog.services[need])]
    return {
        "service": service.name,
        **({"port": service.port} if isinstance(service, Service) else {}),
        "variables": [_variable(v, service) for v in catalog.variables_of(service.name)],
        "routes": list(_routes(catalog, service)),
        **({"streams": [route["prefix"] for route in asked if route["stream"]]} if asked else {}),
    }


def _variable(variable: Variable, service: Image) -> dict[str, object]:
    # PORT has no default of its own: a service listens on the port that the catalogue gives it.
    default = str(service.port) if variable.name == "PORT" and isinstance(service, Service) else variable.default
    return {
        "name": variable.name,
        "type": variable.type,
        "required": variable.required,
        "default": default,
        "secret": variable.secret,
        "minLength": variable.min_length,
        "values": list(variable.values),
        "description": variable.description,
    }


def _routes(catalog: Catalog, service: Image) -> Iterator[dict[str, object]]:
    """A service that reads another's URL and needs it sends that one's routes there, if it has any."""
    reads = {variable.name for variable in catalog.variables_of(service.name)}
    for need in service.needs:
        target = catalog.services.get(need)
        if target is None or url_variable(need) not in reads:
            continue
        for route in target.routes:
            yield {
                "prefix": f"/api{route.prefix}",
                "service": need,
                "url": url_variable(need),
                "strip": "/api",
                "public": route.public,
                "stream": route.stream,
            }


def derived(catalog: Catalog) -> dict[Path, str]:
    """Every file that is derived from the catalogue, by its path relative to the checkout, with its text."""
    files = {Path("platform.schema.json"): _text(schema()), Path("docs/platform-yaml.md"): page()}
    for service in (*catalog.services.values(), *catalog.other_jobs.values()):
        files[Path(service.path) / FILE] = _text(contract(catalog, service))
    return files


def _text(document: dict[str, object]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
