"""Every fact that a hand-written manifest or patch can get wrong is changed once, and each change must be noticed.

The changes are made to what kustomize renders of the real manifests: what is derived is among it, since a patch can change that too.
That a derived file itself was edited is told by `sync --check` (test_derived.py).
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops.manifests import problems
from ops.manifests.base import reaches
from ops.manifests.reading import PODS, owner
from tests.manifests.rendered import CATALOG, objects

ENVIRONMENT = "production"
NAME = "app.kubernetes.io/name"
REACHES = sorted({label for image in CATALOG.images.values() for label in reaches(image)})
Tree = Any
Change = tuple[str, Callable[[Tree], None]]


def changes(thing: Tree) -> Iterator[Change]:
    """Each wrong fact that an object could have: what it is, and how it comes about."""
    kind = thing["kind"]
    if kind == "NetworkPolicy":
        yield from _of_policy(thing)
    elif kind == "PodDisruptionBudget":
        yield "selects others", lambda o: o["spec"]["selector"].update(matchLabels={NAME: "somebody"})
        yield "selects all", lambda o: o["spec"].update(selector={})
    elif kind == "HorizontalPodAutoscaler":
        yield "another's target", lambda o: o["spec"]["scaleTargetRef"].update(name="nobody")
        yield "another kind of target", lambda o: o["spec"]["scaleTargetRef"].update(kind="StatefulSet")
    elif kind == "Service":
        yield "another port", lambda o: o["spec"]["ports"][0].update(port=1)
        yield "selects others", lambda o: o["spec"].update(selector={NAME: "somebody"})
        yield "selects too many", lambda o: o["spec"].update(selector={"app.kubernetes.io/part-of": "nextai-agent"})
    elif kind == "ConfigMap":
        yield from _of_config(thing)
    elif kind in PODS:
        yield from _of_workload(thing)


def _of_policy(thing: Tree) -> Iterator[Change]:
    platforms = thing["spec"]["podSelector"].get("matchLabels", {}).get(NAME)
    yield "selects others", lambda o: o["spec"].update(podSelector={"matchLabels": {NAME: "somebody"}})
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for n, rule in enumerate(thing["spec"].get(direction, [])):
            yield f"{direction} {n} missing", lambda o, d=direction, n=n: o["spec"][d].pop(n)
            yield f"{direction} {n} to any port", lambda o, d=direction, n=n: o["spec"][d][n].update(ports=[{"port": 1}])
            if platforms:
                yield f"{direction} {n} everybody", lambda o, d=direction, n=n, p=peers: o["spec"][d][n].pop(p)
            for m, peer in enumerate(rule.get(peers, [])):
                if "podSelector" in peer:
                    yield (
                        f"{direction} {n} peer {m} of another name",
                        lambda o, d=direction, n=n, p=peers, m=m: o["spec"][d][n][p][m].update(podSelector={"matchLabels": {NAME: "x"}}),
                    )
                yield (
                    f"{direction} {n} peer {m} of another namespace",
                    lambda o, d=direction, n=n, p=peers, m=m: o["spec"][d][n][p][m].update(
                        namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "nextai-mq"}}
                    ),
                )


def _of_config(thing: Tree) -> Iterator[Change]:
    for key, value in thing["data"].items():
        if key.endswith("_URL"):
            host, _, port = value.removeprefix("http://").partition(":")
            for what, wrong in {
                "another port": f"http://{host}:1",
                "no port": f"http://{host}",
                "a misspelt service": f"http://x{host}:{port}",
                "a misspelt namespace": f"http://{host}x:{port}",
                "a store": "http://redis.nextai-data:6379",
            }.items():
                yield f"{key} {what}", lambda o, k=key, v=wrong: o["data"].update({k: v})
        elif key.endswith("_HOST"):
            yield f"{key} misspelt", lambda o, k=key, v=value: o["data"].update({k: f"x{v}"})
            yield f"{key} without namespace", lambda o, k=key, v=value: o["data"].update({k: v.partition(".")[0]})
        elif key.endswith("_PORT"):
            yield f"{key} another", lambda o, k=key: o["data"].update({k: "29530"})


def _of_workload(thing: Tree) -> Iterator[Change]:
    def pod(o: Tree) -> Tree:
        for key in PODS[o["kind"]]:
            o = o[key]
        return o

    others = sorted({"web", "user-service"} - {owner(thing)})
    yield "another's account", lambda o: pod(o).update(serviceAccountName=others[0])
    wrong = {"matchLabels": {NAME: "somebody"}}
    for n, _ in enumerate(pod(thing).get("topologySpreadConstraints", [])):
        yield f"spread {n} of others", lambda o, n=n: pod(o)["topologySpreadConstraints"][n].update(labelSelector=wrong)
    for label in [label for label in _labels(thing) if label.startswith("reaches/")]:
        yield f"no label {label}", lambda o, k=label: _labels(o).pop(k)
    for label in [label for label in REACHES if label not in _labels(thing) and owner(thing) != label.partition("/")[2]]:
        yield f"label {label} too", lambda o, k=label: _labels(o).update({k: "true"})
    if thing["kind"] == "Deployment":
        yield "no spread", lambda o: pod(o).pop("topologySpreadConstraints")
    if "selector" in thing["spec"]:
        yield "selects others", lambda o: o["spec"]["selector"].update(matchLabels={NAME: "somebody"})
    if "serviceName" in thing["spec"]:
        yield "another serviceName", lambda o: o["spec"].update(serviceName="nobody")
        yield "no headless serviceName", lambda o: o["spec"].update(serviceName=owner(o))


def _labels(thing: Tree) -> Tree:
    return thing["spec"]["template"]["metadata"]["labels"]


MISSING = {"NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Service", "ServiceAccount", "ConfigMap"}
ALL = [
    (f"{thing['kind']} {thing['metadata'].get('namespace')}/{thing['metadata']['name'].partition('-config-')[0]}: {what}", n, change)
    for n, thing in enumerate(objects(ENVIRONMENT))
    for what, change in [*changes(thing), *([("missing", None)] if thing["kind"] in MISSING else [])]
]


def test_there_are_facts_to_change() -> None:
    assert len(ALL) > 150
    assert len({name for name, _, _ in ALL}) == len(ALL)


@pytest.mark.parametrize(("number", "change"), [row[1:] for row in ALL], ids=[row[0] for row in ALL])
def test_a_wrong_fact_is_named(number: int, change: Callable[[Tree], None] | None) -> None:
    changed = copy.deepcopy(objects(ENVIRONMENT))
    if change is None:
        del changed[number]
    else:
        change(changed[number])
        assert changed != objects(ENVIRONMENT)
    assert problems(CATALOG, CATALOG.environments[ENVIRONMENT], changed)
