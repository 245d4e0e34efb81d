"""Every fact that a hand-written manifest or patch can get wrong is changed once, and each change must be noticed.

The changes are made to what kustomize renders of the real manifests: what is derived is among it, since a patch can change that too.
That a derived file itself was edited is told by `sync --check` (test_derived.py).
"""

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from ops.manifests import problems
from ops.manifests.base import reaches
from ops.manifests.reading import PODS, owner
from tests.manifests.rendered import CATALOG, objects

ENVIRONMENT = "production"
NAME = "app.kubernetes.io/name"
REACHES = sorted({label for image in CATALOG.images.values() for label in reaches(image)})
SOMEBODY = {"matchLabels": {NAME: "somebody"}}
Tree = Any
Change = tuple[str, Callable[[Tree], None]]


def put(value: Tree, *path: str | int) -> Callable[[Tree], None]:
    """The change that gives the field at this path another value."""

    def change(thing: Tree) -> None:
        _at(thing, path[:-1])[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[Tree], None]:
    """The change that takes the field at this path away."""

    def change(thing: Tree) -> None:
        del _at(thing, path[:-1])[path[-1]]

    return change


def _at(thing: Tree, path: Iterable[str | int]) -> Tree:
    for key in path:
        thing = thing[key]
    return thing


def changes(thing: Tree) -> Iterator[Change]:
    """Each wrong fact that an object could have: what it is, and how it comes about."""
    kind = thing["kind"]
    if kind == "NetworkPolicy":
        yield from _of_policy(thing)
    elif kind == "PodDisruptionBudget":
        yield "selects others", put(SOMEBODY, "spec", "selector")
        yield "selects all", put({}, "spec", "selector")
    elif kind == "HorizontalPodAutoscaler":
        yield "another's target", put("nobody", "spec", "scaleTargetRef", "name")
        yield "another kind of target", put("StatefulSet", "spec", "scaleTargetRef", "kind")
    elif kind == "Service":
        yield "another port", put(1, "spec", "ports", 0, "port")
        yield "selects others", put(SOMEBODY["matchLabels"], "spec", "selector")
        yield "selects too many", put({"app.kubernetes.io/part-of": "nextai-agent"}, "spec", "selector")
    elif kind == "ConfigMap":
        yield from _of_config(thing)
    elif kind in PODS:
        yield from _of_workload(thing)


def _of_policy(thing: Tree) -> Iterator[Change]:
    platforms = thing["spec"]["podSelector"].get("matchLabels", {}).get(NAME)
    yield "selects others", put(SOMEBODY, "spec", "podSelector")
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for n, rule in enumerate(thing["spec"].get(direction, [])):
            yield f"{direction} {n} missing", drop("spec", direction, n)
            yield f"{direction} {n} to any port", put([{"port": 1}], "spec", direction, n, "ports")
            if platforms:
                yield f"{direction} {n} everybody", drop("spec", direction, n, peers)
            for m, peer in enumerate(rule.get(peers, [])):
                at = ("spec", direction, n, peers, m)
                if "podSelector" in peer:
                    yield f"{direction} {n} peer {m} of another name", put(SOMEBODY, *at, "podSelector")
                elsewhere = {"matchLabels": {"kubernetes.io/metadata.name": "nextai-mq"}}
                yield f"{direction} {n} peer {m} of another namespace", put(elsewhere, *at, "namespaceSelector")


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
                yield f"{key} {what}", put(wrong, "data", key)
        elif key.endswith("_HOST"):
            yield f"{key} misspelt", put(f"x{value}", "data", key)
            yield f"{key} without namespace", put(value.partition(".")[0], "data", key)
        elif key.endswith("_PORT"):
            yield f"{key} another", put("29530", "data", key)


def _of_workload(thing: Tree) -> Iterator[Change]:
    pod = PODS[thing["kind"]]
    others = sorted({"web", "user-service"} - {owner(thing)})
    yield "another's account", put(others[0], *pod, "serviceAccountName")
    for n, _ in enumerate(_at(thing, pod).get("topologySpreadConstraints", [])):
        yield f"spread {n} of others", put(SOMEBODY, *pod, "topologySpreadConstraints", n, "labelSelector")
    labels = (*pod[:-1], "metadata", "labels")
    for label in REACHES:
        if label in _at(thing, labels):
            yield f"no label {label}", drop(*labels, label)
        elif owner(thing) != label.partition("/")[2]:
            yield f"label {label} too", put("true", *labels, label)
    if thing["kind"] == "Deployment":
        yield "no spread", drop(*pod, "topologySpreadConstraints")
    if "selector" in thing["spec"]:
        yield "selects others", put(SOMEBODY, "spec", "selector")
    if "serviceName" in thing["spec"]:
        yield "another serviceName", put("nobody", "spec", "serviceName")
        yield "no headless serviceName", put(owner(thing), "spec", "serviceName")


MISSING = {"NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Service", "ServiceAccount", "ConfigMap"}
ALL: list[tuple[str, int, Callable[[Tree], None] | None]] = [
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
