"""The verbs. `invoke --list` lists them, `invoke --help VERB` tells about one."""

import gc

from ops import bytecode

bytecode.keep()  # before anything else is imported: what is not kept is compiled at each start
from ops import ctrl_c  # noqa: E402

ctrl_c.end_at_once()  # until a verb begins: what is imported until then needs no tidying up
gc.set_threshold(100_000)  # a verb lives for seconds and its modules for all of them: looking for garbage is a tenth of its start

from invoke.collection import Collection  # noqa: E402
from invoke.context import Context  # noqa: E402
from invoke.main import program  # noqa: E402

from ops.console.usage import take_over  # noqa: E402
from ops.console.verb import verb  # noqa: E402


def everywhere() -> list[str]:
    """The environments."""
    from ops import catalog

    return [*catalog.load().environments]


def clusters() -> list[str]:
    """The environments that have a cluster."""
    from ops import catalog

    return [name for name, environment in catalog.load().environments.items() if environment.kind == "kubernetes"]


ENV = "environment with a cluster: staging, production, …"
ANY_ENV = "local, or an environment with a cluster"
SERVICE = "a service, job or store"
YES = "make the change without asking first"
DRY = "show what would be done, and change nothing"
JSON = "one document for machines on standard output"
TESTBED = "on the testbed of this machine, in place of the environment's cluster"


@verb(
    engine="compose or embedded; by default Docker Compose where a Docker engine answers",
    detach="return, and leave it running",
    json=JSON,
)
def up(_: Context, engine: str = "", detach: bool = False, json: bool = False) -> int | None:
    """Run the whole platform on this machine, print the address of its page, and show the logs until Ctrl-C stops it."""
    from ops import catalog
    from ops.verbs import up as story

    return story.up(catalog.load(), engine=engine or None, detach=detach)


@verb(volumes="also remove the data", yes=YES, json=JSON)
def down(_: Context, volumes: bool = False, yes: bool = False, json: bool = False) -> int | None:
    """Stop the platform on this machine; data stays unless --volumes."""
    from ops import catalog
    from ops.verbs import up as story

    return story.down(catalog.load(), volumes=volumes, yes=yes)


@verb(
    repeated=("service",),
    service="name of an image; by default all",
    push="push the images to the registry",
    explain="name each file and argument that changed an image's key",
    testbed="with the engine and the registry of the testbed of this machine",
    dry_run=DRY,
    json=JSON,
)
def build(
    _: Context,
    service: list[str],
    push: bool = False,
    explain: bool = False,
    testbed: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> int | None:
    """Build the images whose content changed, and print the digest of each."""
    from ops.verbs import build as story

    return story.build(service, push=push, explain=explain, testbed=testbed, dry_run=dry_run)


@verb(since="Git revision to compare with; by default origin/main", json=JSON)
def affected(_: Context, since: str = "origin/main", json: bool = False) -> int | None:
    """List the images that changed since a revision."""
    from ops.verbs import build as story

    return story.affected(since)


@verb(
    env=ENV,
    choices={"env": clusters},
    testbed=TESTBED,
    out="write the plan to this file",
    detailed_exitcode="exit 10 when there are changes",
    json=JSON,
)
def plan(_: Context, env: str, testbed: bool = False, out: str = "", detailed_exitcode: bool = False, json: bool = False) -> int | None:
    """Build what is missing, and show what a deploy would change, object by object; the cluster stays as it is."""
    from ops.verbs import deploy as story

    return story.plan(env, testbed=testbed, out=out, detailed_exitcode=detailed_exitcode)


@verb(
    env=ENV,
    choices={"env": clusters},
    testbed=TESTBED,
    plan="a file that `plan --out` wrote: apply exactly that",
    yes=YES,
    dry_run="build what is missing, show the plan, and leave the cluster as it is",
    json=JSON,
)
def deploy(
    _: Context, env: str, testbed: bool = False, plan: str = "", yes: bool = False, dry_run: bool = False, json: bool = False
) -> int | None:
    """Build what is missing, show the plan, apply exactly that and watch it; a deploy that fails is rolled back."""
    from ops.verbs import deploy as story

    return story.deploy(env, testbed=testbed, plan_file=plan, yes=yes, dry_run=dry_run)


@verb(env=ANY_ENV, choices={"env": everywhere}, testbed=TESTBED, json=JSON)
def status(_: Context, env: str, testbed: bool = False, json: bool = False) -> int | None:
    """Show each workload: wanted, ready, digest, restarts, and why it is not ready."""
    from ops.verbs import watch as story

    return story.status(env, testbed=testbed)


@verb(env=ENV, choices={"env": clusters}, testbed=TESTBED, json=JSON)
def history(_: Context, env: str, testbed: bool = False, json: bool = False) -> int | None:
    """List the deploys of an environment: who, when, what, how it ended."""
    from ops.verbs import watch as story

    return story.history(env, testbed=testbed)


@verb(
    env=ENV,
    choices={"env": clusters},
    testbed=TESTBED,
    to="number of the record to go back to, as `history` lists it; by default the good one before",
    yes=YES,
    dry_run=DRY,
    json=JSON,
)
def rollback(
    _: Context, env: str, testbed: bool = False, to: int = 0, yes: bool = False, dry_run: bool = False, json: bool = False
) -> int | None:
    """Go back to an earlier deploy: its images, its configuration, and the objects that were removed since."""
    from ops.verbs import deploy as story

    return story.rollback(env, testbed=testbed, to=to, yes=yes, dry_run=dry_run)


@verb(
    positional=("service",),
    service=SERVICE,
    env=ANY_ENV,
    choices={"env": everywhere},
    testbed=TESTBED,
    follow="go on, and show each new line as it comes",
    tail="how many lines from the end",
    since="only lines that are younger than this, such as 10m or 1h; not with --env local",
    json="one document for each line, on standard output",
)
def logs(
    _: Context, service: str, env: str, testbed: bool = False, follow: bool = False, tail: int = 100, since: str = "", json: bool = False
) -> int | None:
    """Show what a service writes, in all its pods or on this machine."""
    from ops.verbs import watch as story

    return story.logs(service, env, testbed=testbed, follow=follow, tail=tail, since=since)


@verb(
    positional=("service",),
    service="a service or store",
    env=ENV,
    choices={"env": clusters},
    testbed=TESTBED,
    replicas="the least number of replicas",
    yes=YES,
    dry_run=DRY,
    json=JSON,
)
def scale(
    _: Context,
    service: str,
    replicas: int,
    env: str,
    testbed: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> int | None:
    """Set the least number of replicas of a service; where it has an autoscaler, the autoscaler's bounds are set."""
    from ops.verbs import deploy as story

    return story.scale(service, replicas, env, testbed=testbed, yes=yes, dry_run=dry_run)


@verb(positional=("service",), service=SERVICE, env=ENV, choices={"env": clusters}, testbed=TESTBED, image="image of the debug container")
def shell(_: Context, service: str, env: str, testbed: bool = False, image: str = "debian:trixie-slim") -> int | None:
    """Open a shell beside a running pod of a service, in an ephemeral debug container."""
    from ops.verbs import watch as story

    return story.shell(service, env, testbed=testbed, image=image)


@verb(positional=("store",), store="a store, such as redis", env=ANY_ENV, choices={"env": everywhere}, testbed=TESTBED)
def connect(_: Context, store: str, env: str, testbed: bool = False) -> int | None:
    """Open a store's own client program where the store runs: psql, redis-cli. It reads standard input where that is no terminal."""
    from ops import catalog
    from ops.verbs import connect as story

    return story.connect(catalog.load(), store, env, testbed=testbed)


@verb(env=ANY_ENV, choices={"env": everywhere}, testbed=TESTBED)
def psql(_: Context, env: str, testbed: bool = False) -> int | None:
    """Open psql on the platform's database: `connect`, with the store that platform.yaml calls the database."""
    from ops import catalog
    from ops.verbs import connect as story

    known = catalog.load()
    return story.connect(known, known.database.store, env, testbed=testbed)


@verb(default=True, env=ANY_ENV, testbed=TESTBED, yes=YES, dry_run=DRY, json=JSON)
def migrate(
    _: Context, env: str = "local", testbed: bool = False, yes: bool = False, dry_run: bool = False, json: bool = False
) -> int | None:
    """Run the pending database migrations: show their SQL, take a lock, refuse files that were edited or are out of order."""
    from ops.verbs import migrate as story

    return story.migrate(env, testbed=testbed, yes=yes, dry_run=dry_run)


@verb(called="status", env=ANY_ENV, testbed=TESTBED, json=JSON)
def migrate_status(_: Context, env: str = "local", testbed: bool = False, json: bool = False) -> int | None:
    """List the migrations: applied, pending, edited."""
    from ops.verbs import migrate as story

    return story.status(env, testbed=testbed)


@verb(called="check", json=JSON)
def migrate_check(_: Context, json: bool = False) -> int | None:
    """Check the migration files: journal, order, safety rules."""
    from ops.verbs import migrate as story

    return story.check()


@verb(
    called="baseline",
    to="the newest migration that ran already: its file's name without .sql",
    env="the environment whose database has these migrations already; by default the baseline is written into the checkout",
    testbed=TESTBED,
    yes=YES,
    dry_run=DRY,
    json=JSON,
)
def migrate_baseline(
    _: Context, to: str, env: str = "", testbed: bool = False, yes: bool = False, dry_run: bool = False, json: bool = False
) -> int | None:
    """Take over a project that has migrations: record which of them ran, in the checkout or in an environment's database."""
    from ops.verbs import migrate as story

    return story.baseline(to, env, testbed=testbed, yes=yes, dry_run=dry_run)


@verb(called="generate", positional=("name",), name="what it does, in a few words joined by _: part of its file's name", json=JSON)
def migrate_generate(_: Context, name: str, json: bool = False) -> int | None:
    """Make a migration from the changes of the Drizzle schema."""
    from ops.verbs import migrate as story

    return story.generate(name)


@verb(
    bump="major, minor or patch",
    testbed="rehearse: images on the testbed, and the tag in an `origin` that is a path on this machine",
    yes=YES,
    dry_run=DRY,
    json=JSON,
)
def release(_: Context, bump: str, testbed: bool = False, yes: bool = False, dry_run: bool = False, json: bool = False) -> int | None:
    """Make a release: version, changelog, an annotated tag that names each image by digest, one atomic push."""
    from ops.verbs import release as story

    return story.release(bump, testbed=testbed, yes=yes, dry_run=dry_run)


@verb(positional=("job",), job="a job of platform.yaml", env=ANY_ENV, testbed=TESTBED, yes=YES, dry_run=DRY, json=JSON)
def run(
    _: Context, job: str, env: str = "local", testbed: bool = False, yes: bool = False, dry_run: bool = False, json: bool = False
) -> int | None:
    """Run a job now, on this machine or in an environment's cluster, and show its lines."""
    from ops import catalog
    from ops.verbs import run as story

    return story.run(catalog.load(), job, env, testbed=testbed, yes=yes, dry_run=dry_run)


@verb(json=JSON)
def doctor(_: Context, json: bool = False) -> int | None:
    """Show every tool, port, engine and cluster that the verbs need, and the remedy for what is missing."""
    from ops.verbs import doctor as story

    return story.verb()


@verb(positional=("name",), name="name of the service, such as channel-service", stack="go, nextjs, node or python", dry_run=DRY, json=JSON)
def new(_: Context, name: str, stack: str, dry_run: bool = False, json: bool = False) -> int | None:
    """Make a service: its folder, its entry in platform.yaml, and what is derived from it."""
    from ops.verbs import new as story

    return story.new(name, stack, dry_run=dry_run)


@verb(check="only name the files that are not up to date; exit 1 where there are any", json=JSON)
def sync(_: Context, check: bool = False, json: bool = False) -> int | None:
    """Write the files that are derived from platform.yaml: manifests, contracts, .env.example, the schema for editors."""
    from ops.verbs import sync as story

    return story.sync(check=check)


@verb(
    called="up",
    provider="native (Linux, root) or container (any machine with a Docker engine); by default native where it can run",
    json=JSON,
)
def testbed_up(_: Context, provider: str = "", json: bool = False) -> int | None:
    """Start a throw-away Docker Engine, registry and Kubernetes on this machine."""
    from ops.verbs import testbed

    return testbed.up(provider)


@verb(called="down", wipe="also remove images and volumes", json=JSON)
def testbed_down(_: Context, wipe: bool = False, json: bool = False) -> int | None:
    """Stop the testbed and leave nothing of it running."""
    from ops.verbs import testbed

    return testbed.down(wipe=wipe)


@verb(called="env", json=JSON)
def testbed_env(_: Context, json: bool = False) -> int | None:
    """Print shell lines that point docker and kubectl to the testbed: eval "$(invoke testbed.env)"."""
    from ops.verbs import testbed

    return testbed.env()


namespace = Collection(
    up,
    down,
    build,
    affected,
    plan,
    deploy,
    status,
    history,
    rollback,
    logs,
    scale,
    shell,
    run,
    connect,
    psql,
    release,
    doctor,
    new,
    sync,
)
namespace.add_collection(Collection("migrate", migrate, migrate_status, migrate_check, migrate_generate, migrate_baseline))
namespace.add_collection(Collection("testbed", testbed_up, testbed_down, testbed_env))

gc.freeze()  # nor at its end: what is imported until here lives as long as the process

take_over(program, namespace, environments=everywhere, spread={"build": "--service"})  # `invoke build web user-service`
