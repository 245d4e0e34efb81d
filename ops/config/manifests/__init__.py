"""The check of rendered manifests against the catalogue. Pure: objects in, problems out.

One rule is one function from `Scene` to problems, and `RULES` lists them. A problem is one line
that begins with the file to open.
"""

from collections.abc import Callable, Iterable, Iterator

from ops.catalog import Catalog, Environment
from ops.config.manifests.contract import variables
from ops.config.manifests.network import certificates, entrance, policies, routes
from ops.config.manifests.reach import addresses, names, reach, restricted
from ops.config.manifests.runs import images, namespaces, ports, probes, replicas, workloads
from ops.config.manifests.scene import Scene
from ops.config.manifests.security import accounts, security
from ops.config.manifests.selectors import autoscalers, budgets, selectors, spread
from ops.config.objects import Object

Rule = Callable[[Scene], Iterator[str]]
RULES: tuple[Rule, ...] = (
    *(workloads, images, namespaces, ports, probes, replicas),
    variables,
    *(accounts, security),
    *(policies, reach, restricted, names, addresses, routes, certificates, entrance),
    *(selectors, budgets, spread, autoscalers),
)


def problems(catalog: Catalog, environment: Environment, objects: Iterable[Object]) -> list[str]:
    """Everything in which one environment's rendered objects disagree with the catalogue, each as `FILE: what`."""
    scene = Scene(catalog, environment, tuple(objects))
    return list(dict.fromkeys(problem for rule in RULES for problem in rule(scene)))
