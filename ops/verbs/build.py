"""`invoke build` and `invoke affected`; and the images that a deploy or a release needs."""

from collections.abc import Sequence

from ops.catalog import Catalog, load
from ops.console import emit_json, machine_readable, say
from ops.images.build import build as make
from ops.images.model import BuildEngine, BuildPlan
from ops.images.plan import plan
from ops.verbs.target import running_testbed


def engine_of(catalog: Catalog, *, testbed: bool, push: bool = True) -> BuildEngine:
    """This machine's engine with the catalogue's registry, or the testbed's engine and registry.

    Images that are pushed to the catalogue's registry are built for the platform of the clusters' nodes. All others are built for
    the engine's own platform.
    """
    found = running_testbed(testbed)
    if found is None:
        return BuildEngine(registry=catalog.registry, platform=catalog.nodes if push else None)
    return BuildEngine(found.docker_host, found.docker_config, found.registry, certificates=found.docker_certificates)


def build(names: Sequence[str], *, push: bool, explain: bool, testbed: bool, dry_run: bool) -> int:
    """Build what is missing, and print the digests."""
    catalog = load()
    engine = engine_of(catalog, testbed=testbed, push=push)
    decided = plan(catalog, names, engine, push=push)
    _show(decided, explain=explain)
    if dry_run:
        if machine_readable():
            emit_json(decided.document())
        return 0
    digests = make(decided, engine, push, report=say)
    for name, digest in digests.items():
        say(f"{engine.registry}/{catalog.prefix}/{name}@{digest}")
    if machine_readable():
        emit_json({"built": [image.name for image in decided.missing], "digests": digests})
    return 0


def planned(catalog: Catalog, names: Sequence[str], *, testbed: bool) -> tuple[BuildEngine, BuildPlan]:
    """Which of these images the registry has, and which must be built. Nothing is built."""
    engine = engine_of(catalog, testbed=testbed)
    return engine, plan(catalog, names, engine, push=True)


def publish(engine: BuildEngine, decided: BuildPlan) -> dict[str, str]:
    """The digest of each image of a plan. Those that the registry does not have are built and pushed."""
    _show(decided, explain=True)
    return make(decided, engine, True, report=say)


def affected(since: str) -> int:
    """Print the names, one a line."""
    from ops.images.affected import affected as reached

    names = reached(load(), since)
    if not names:
        say(f"nothing is affected since {since}")
    if machine_readable():
        emit_json({"since": since, "images": names})
        return 0
    for name in names:
        say(name)
    return 0


def _show(decided: BuildPlan, *, explain: bool) -> None:
    for line in decided.lines(explain=explain):
        say(line)
