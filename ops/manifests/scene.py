"""What the rules about manifests look at: the catalogue, an environment, and its rendered objects."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.catalog import Catalog, Environment, Image, Store
from ops.manifests.reading import (
    PODS,
    Manifest,
    name_of,
    namespace_of,
    owner,
)

FILES = {"ClusterIssuer": "cluster-issuer.yaml"}
POLICIES = "k8s/base/derived/policies.yaml"
CERT_MANAGER = "cert-manager"  # its folder, and the owner of what lies there


@dataclass(frozen=True, slots=True)
class RuleInput:
    """What the rules look at."""

    catalog: Catalog
    environment: Environment
    objects: tuple[Manifest, ...]

    def of(self, *kinds: str) -> Iterator[Manifest]:
        """The objects of these kinds."""
        return (thing for thing in self.objects if thing.get("kind") in kinds)

    def find(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """The one object of this kind and name, or None."""
        return next((o for o in self.of(kind) if name_of(o) == name and namespace_of(o) == namespace), None)

    def workload(self, image: Image | Store) -> Manifest | None:
        """What runs a service, job or store: the workload that bears its name, in whatever namespace."""
        return next((o for o in self.of(*PODS) if owner(o) == image.name), None)

    @property
    def runs(self) -> dict[str, Image | Store]:
        """Everything in the catalogue that runs in a cluster, by name."""
        return {**self.catalog.images, **self.catalog.stores}

    def says(self, thing: Manifest, what: str) -> str:
        """A problem of an object, with the file that the object came from."""
        return f"{self.file(thing)}: {thing.get('kind')} {name_of(thing)} {what}"

    def file(self, thing: Manifest) -> str:
        """Where an object is written: by kind and owner, since kustomize does not tell."""
        kind, name = str(thing.get("kind")), owner(thing)
        if kind == "Namespace":
            return "k8s/base/derived/namespaces.yaml"
        if kind == "ConfigMap":
            return f"{self.environment.overlay}/derived/{name}.env"
        if kind == "NetworkPolicy" and name in self.runs:
            return POLICIES
        if name in self.runs:
            return f"{self.folder(name)}/derived.yaml"
        folder = name if name == CERT_MANAGER else kind.lower()
        return f"k8s/base/{folder}/{FILES.get(kind, f'{kind.lower()}.yaml')}"

    def folder(self, name: str) -> str:
        """Where the manifests of a service, job or store lie."""
        return f"k8s/base/stores/{name}" if name in self.catalog.stores else f"k8s/base/{name}"
