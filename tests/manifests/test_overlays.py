"""Every overlay builds, fits the API's schemas, and says what the catalogue says."""

import pytest

from ops.manifests import problems
from ops.manifests.render import render
from tests.manifests.rendered import CATALOG, ROOT, objects

KUBERNETES = "1.36"
CLUSTERS = [name for name, environment in CATALOG.environments.items() if environment.kind == "kubernetes"]
# Kinds that are no part of Kubernetes, whose schemas come with who defines them: a plan has the cluster's API server check these objects.
DEFINED_ELSEWHERE = {("cert-manager.io/v1", "ClusterIssuer")}
DIGESTS = dict.fromkeys(CATALOG.images, "sha256:" + "0" * 64)


@pytest.mark.parametrize("environment", CLUSTERS)
def test_every_object_fits_the_schema_of_the_api(environment: str) -> None:
    import kubernetes_validate

    without = set()
    for thing in objects(environment):
        try:
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)
        except kubernetes_validate.SchemaNotFoundError:
            without.add((thing["apiVersion"], thing["kind"]))
    assert without == DEFINED_ELSEWHERE
    assert len(objects(environment)) > 20


@pytest.mark.parametrize("environment", CLUSTERS)
def test_the_manifests_say_what_the_catalogue_says(environment: str) -> None:
    found = problems(CATALOG, CATALOG.environments[environment], objects(environment))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("environment", CLUSTERS)
def test_every_image_reference_gets_its_digest(environment: str) -> None:
    rendered = render(CATALOG, CATALOG.environments[environment], DIGESTS)
    assert set(rendered.digests) == set(CATALOG.images)


def test_every_folder_of_the_base_is_in_an_overlay_and_every_overlay_belongs_to_an_environment() -> None:
    overlays = {folder.name for folder in (ROOT / "k8s/overlays").iterdir()}
    assert overlays == set(CLUSTERS)
    known = {*CATALOG.images, "derived", "stores", "ingress", "cert-manager"}
    assert {folder.name for folder in (ROOT / "k8s/base").iterdir() if folder.is_dir()} <= known
