"""Rules about the variables that each container gets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.catalog import Variable
from ops.catalog.values import items as items_of
from ops.catalog.values import problem
from ops.manifests.reading import (
    Manifest,
    items,
    main_container,
    mapping,
    namespace_of,
    text,
)
from ops.manifests.scene import RuleInput


@dataclass(frozen=True, slots=True)
class Given:
    """One variable that a container is given: from where, and its value where the manifests tell it."""

    name: str
    secret: bool
    value: str | None
    source: Manifest  # the object whose file to open


def variables(scene: RuleInput) -> Iterator[str]:
    """Each reader is given what it requires and nothing unknown; secrets by Secret, the rest never by Secret."""
    for name, image in scene.runs.items():
        workload = scene.workload(image)
        if workload is None:
            continue
        main = main_container(workload, name)
        contract = {variable.name: variable for variable in scene.catalog.variables_of(name)}
        yield from _sources(scene, workload, main, name, contract)
        found = given(scene, workload, name)
        # A store's image has settings of its own beside the contract's.
        known = found if name not in scene.catalog.stores else [g for g in found if g.secret or g.name in contract]
        for entry in known:
            yield from _disagrees(scene, entry, contract.get(entry.name), name)
        names = {entry.name for entry in found}
        for variable in contract.values():
            if variable.required and variable.name not in names:
                where = f"in Secret {name}-secrets" if variable.secret else "under `environments` in platform.yaml"
                yield scene.says(workload, f"is not given {variable.name} ({variable.description}): it is required; put it {where}")


def given(scene: RuleInput, workload: Manifest, name: str) -> list[Given]:
    """Every variable that the main container of a workload is given."""
    contract = {variable.name: variable for variable in scene.catalog.variables_of(name)}
    return list(_given(scene, workload, main_container(workload, name), contract))


def _given(scene: RuleInput, workload: Manifest, container: Manifest, contract: Mapping[str, Variable]) -> Iterator[Given]:
    """What a container is given. A Secret that is not among the objects has, by convention, the reader's secret variables."""
    for source in items(container, "envFrom"):
        config = scene.find("ConfigMap", namespace_of(workload), text(source, "configMapRef", "name"))
        for name, value in mapping(config, "data").items():
            yield Given(name, False, str(value), config or workload)
        secret = scene.find("Secret", namespace_of(workload), text(source, "secretRef", "name"))
        if secret is not None:
            for name in {**mapping(secret, "data"), **mapping(secret, "stringData")}:
                yield Given(name, True, None, secret)
        elif "secretRef" in source:
            yield from (Given(v.name, True, None, workload) for v in contract.values() if v.secret)
    for entry in items(container, "env"):
        name = text(entry, "name")
        if mapping(entry, "valueFrom", "secretKeyRef"):
            yield Given(name, True, None, workload)
        else:
            yield Given(name, False, text(entry, "value") if "value" in entry else None, workload)


def _sources(scene: RuleInput, workload: Manifest, container: Manifest, name: str, contract: Mapping[str, Variable]) -> Iterator[str]:
    """ConfigMaps that are read exist; Secrets that are read are the reader's own, and have the key."""
    refs = [mapping(source, "configMapRef") for source in items(container, "envFrom")]
    refs += [mapping(entry, "valueFrom", "configMapKeyRef") for entry in items(container, "env")]
    for ref in filter(None, refs):
        if scene.find("ConfigMap", namespace_of(workload), text(ref, "name")) is None:
            yield scene.says(workload, f"reads ConfigMap {text(ref, 'name')}, which no manifest has")
    keys = [mapping(entry, "valueFrom", "secretKeyRef") for entry in items(container, "env")]
    for ref in filter(None, [*keys, *(mapping(source, "secretRef") for source in items(container, "envFrom"))]):
        if text(ref, "name") != f"{name}-secrets":
            yield scene.says(workload, f"reads Secret {text(ref, 'name')}; its own is {name}-secrets")
        key = text(ref, "key")
        if key and not (key in contract and contract[key].secret):
            yield scene.says(
                workload, f"reads key {key} of Secret {text(ref, 'name')}, which is no secret variable of {name} in platform.yaml"
            )


def _disagrees(scene: RuleInput, given: Given, variable: Variable | None, reader: str) -> Iterator[str]:
    if variable is None:
        yield scene.says(given.source, f"gives {reader} the variable {given.name}, which it does not read by platform.yaml")
    elif variable.secret and not given.secret:
        yield scene.says(given.source, f"gives {reader} the secret {given.name} in the open; it comes from Secret {reader}-secrets")
    elif given.secret and not variable.secret:
        yield scene.says(given.source, f"gives {reader} {given.name} by a Secret; it is no secret, and belongs in the ConfigMap")
    elif given.value is not None and (wrong := _wrong(variable, given.value)):
        yield scene.says(given.source, f"gives {reader} {given.name}={given.value}: {wrong}")


def _wrong(variable: Variable, value: str) -> str:
    """What is wrong with a value, or nothing. An empty value counts as missing."""
    if not value or (variable.type == "list" and not items_of(value)):
        return "is empty, and required" if variable.required else ""
    return problem(variable.type, value, variable.values, variable.min_length)
