"""The catalogue: `platform.yaml` as validated, frozen values."""

from ops.catalog.load import checkout, load
from ops.catalog.model import Catalog, Database, Environment, Image, Ingress, Job, Route, Service, Stack, Store, Variable, url_variable

__all__ = [
    "Catalog",
    "Database",
    "Environment",
    "Image",
    "Ingress",
    "Job",
    "Route",
    "Service",
    "Stack",
    "Store",
    "Variable",
    "checkout",
    "load",
    "url_variable",
]
