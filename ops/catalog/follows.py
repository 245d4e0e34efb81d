"""What follows from entries: the gateway needs each service with routes, and who needs a service is told where it is."""

from collections.abc import Mapping
from dataclasses import replace

from ops.catalog.model import Job, Service, Variable, url_variable


def with_needs(services: Mapping[str, Service], gateway: str | None) -> dict[str, Service]:
    """The services, the gateway with what it sends requests on to among its needs."""
    if gateway is None:
        return dict(services)
    own = services[gateway].needs
    routed = (name for name, service in services.items() if service.routes and name not in (gateway, *own))
    return {**services, gateway: replace(services[gateway], needs=(*own, *routed))}


def with_addresses(variables: Mapping[str, Variable], services: Mapping[str, Service], jobs: Mapping[str, Job]) -> dict[str, Variable]:
    """The variables, and NAME_URL of each service that another service or a job needs. An entry in platform.yaml of that name wins."""
    found = dict(variables)
    for name in services:
        readers = tuple(asker for asker, image in {**services, **jobs}.items() if name in image.needs)
        if readers and url_variable(name) not in found:
            found[url_variable(name)] = Variable(url_variable(name), f"Where {name} is reached", readers, type="url", required=True)
    return found
