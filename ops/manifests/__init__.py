"""The check of rendered manifests against the catalogue. Pure: objects in, problems out.

One rule is one function from `RuleInput` to problems, and `RULES` lists them. A problem is one line
that begins with the file to open.
"""

from collections.abc import Callable, Iterable, Iterator

from ops.catalog import Catalog, Environment
from ops.manifests.contract import variables
from ops.manifests.network import certificates, entrance, policies, routes
from ops.manifests.reach import addresses, names, reach, restricted
from ops.manifests.reading import Manifest
from ops.manifests.runs import images, namespaces, ports, probes, replicas, schedules, workloads
from ops.manifests.scene import RuleInput
from ops.manifests.security import accounts, security
from ops.manifests.selectors import autoscalers, budgets, selectors, spread
from ops.manifests.trial import trial

Rule = Callable[[RuleInput], Iterator[str]]
RULES: tuple[Rule, ...] = (
    *(workloads, images, namespaces, ports, probes, replicas, schedules),
    *(variables, trial),
    *(accounts, security),
    *(policies, reach, restricted, names, addresses, routes, certificates, entrance),
    *(selectors, budgets, spread, autoscalers),
)


def problems(catalog: Catalog, environment: Environment, objects: Iterable[Manifest]) -> list[str]:
    """Everything in which one environment's rendered objects disagree with the catalogue, each as `FILE: what`."""
    scene = RuleInput(catalog, environment, tuple(objects))
    return list(dict.fromkeys(problem for rule in RULES for problem in rule(scene)))
