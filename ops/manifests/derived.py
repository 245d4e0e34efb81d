"""The files of k8s/ that are derived from the catalogue.

The folder of a service, store or job holds `derived.yaml` and a `kustomization.yaml`, and may hold `patch.yaml`: what is special
about this one, by hand, a strategic merge patch with its reason.
"""

from pathlib import Path

from ops import stores
from ops.catalog import Catalog, Environment, Image, Store
from ops.documents import Json
from ops.kube.objects import Object
from ops.manifests import base, jobs, overlays
from ops.manifests.base import Objects
from ops.manifests.stores import of_store
from ops.manifests.written import MARK, file

ROOT = Path("k8s")
BASE = ROOT / "base"
PATCH = "patch.yaml"


def files(catalog: Catalog) -> dict[Path, str]:
    """Every derived file by its path relative to the checkout, with its text."""
    found = {BASE / "derived/namespaces.yaml": file(base.namespaces(catalog))}
    found[BASE / "derived/policies.yaml"] = file(base.policies(catalog))
    found[ROOT / "components/default-deny/derived.yaml"] = file(base.default_deny(catalog))
    for store in catalog.stores.values():
        found |= _folder(catalog, store, stores.of(store).component, of_store(catalog, store))
    for job in catalog.jobs.values():
        found |= _folder(catalog, job, jobs.component(catalog, job), jobs.of_job(catalog, job))
    for service in catalog.services.values():
        found |= _folder(catalog, service, service.component, base.of_service(catalog, service))
    found[BASE / "derived/kustomization.yaml"] = file([_everything(catalog)])
    for environment in catalog.environments.values():
        if environment.overlay:
            found |= _overlay(catalog, environment, Path(environment.overlay) / "derived")
    return found


def left_over(catalog: Catalog) -> list[Path]:
    """Files that `sync` wrote for what the catalogue no longer has."""
    wanted = files(catalog)
    folders = {ROOT, *(Path(environment.overlay) for environment in catalog.environments.values() if environment.overlay)}
    found = {path for folder in folders for path in (catalog.root / folder).rglob("*") if path.suffix in (".yaml", ".env")}
    ours = sorted(path for path in found if path.is_file() and path.read_bytes().startswith(MARK.encode()))
    return [path for file in ours if (path := file.relative_to(catalog.root)) not in wanted]


def _folder(catalog: Catalog, entry: Image | Store, component: str, objects: Objects) -> dict[Path, str]:
    """The two files of a service, store or job."""
    labels: Object = {base.NAME: entry.name, "app.kubernetes.io/component": component, **base.ours(catalog)}
    place = BASE / "stores" / entry.name if isinstance(entry, Store) else BASE / entry.name
    special = (catalog.root / place / PATCH).is_file()
    listed: Object = {
        **_kustomization("derived.yaml"),
        "namespace": entry.namespace,
        **({"patches": [{"path": PATCH}]} if special else {}),
        "labels": [{"includeTemplates": True, "pairs": labels}],
    }
    derived = file(objects, f" What is special goes into {PATCH} beside it.")
    return {place / "derived.yaml": derived, place / "kustomization.yaml": file([listed])}


def _everything(catalog: Catalog) -> Object:
    stores = [f"../stores/{name}" for name in catalog.stores]
    return _kustomization("namespaces.yaml", "policies.yaml", *stores, *(f"../{name}" for name in (*catalog.jobs, *catalog.services)))


def _kustomization(*resources: str) -> Object:
    listed: list[Json] = [*resources]
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": listed}


def _overlay(catalog: Catalog, environment: Environment, folder: Path) -> dict[Path, str]:
    found = {folder / "kustomization.yaml": file([overlays.component(catalog, environment)])}
    for service in overlays.configured(catalog):
        values = overlays.settings(catalog, environment, service)
        found[folder / f"{service.name}.env"] = f"{MARK}\n" + "".join(f"{name}={value}\n" for name, value in values.items())
    return found
