"""`run`: a job now, of this machine's platform or of an environment on Kubernetes."""

from typing import TYPE_CHECKING

from ops.catalog import Catalog, Job
from ops.console import confirm, emit_json, machine_readable, say
from ops.errors import Exit, Failure, UsageError
from ops.exclusive import exclusive
from ops.guess import did_you_mean
from ops.verbs.target import connected, is_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.cluster.run import RunPlan
    from ops.cluster.target import Target
    from ops.kube.client import Client
    from ops.local.state import State


def run(catalog: Catalog, name: str, env: str = "local", *, testbed: bool = False, yes: bool = False, dry_run: bool = False) -> int:
    """Run a job to its end, and show its lines. Exit 1 where it ends with another code than 0.

    Raises `UsageError` for what is no such job, and `Failure` where the platform does not run.
    """
    job = _job(catalog, name)
    if is_here(catalog, env, testbed):
        if dry_run:
            raise UsageError("reading --dry-run", "nothing is planned on this machine: the job simply runs", "Leave it out.")
        return _here(catalog, job)
    with connected(env, testbed, catalog) as (_, client, target):
        return _there(catalog, client, target, job, yes=yes, dry_run=dry_run)


def _here(catalog: Catalog, job: Job) -> int:
    """On the engine on which the platform runs."""
    from ops.local import state
    from ops.verbs.local import current

    home = state.of(catalog.root)
    doing = f"running {job.name}"
    record = current(catalog, home)
    if record is None:
        raise Failure(doing, "the platform, whose stores it needs, does not run on this machine", "Run `invoke up` first.")
    with exclusive(home.run / f"{job.name}.lock", f"another run of {job.name} is at work; waiting for it", say):
        code = _on(catalog, home, job, record.engine)
    found = {"job": job.name, "engine": record.engine, "exitCode": code}
    if code:
        cause = f"{job.name} ended with exit code {code}; its lines are above"
        raise Failure(doing, cause, "Correct what they say, then run it again.", details=found)
    if machine_readable():
        emit_json(found)
    say(f"{job.name}: done", "bold green")
    return Exit.DONE


def _on(catalog: Catalog, home: "State", job: Job, engine: str) -> int:
    if engine == "embedded":
        from ops.local import embedded

        return embedded.run_job(catalog, home, job)
    from ops.local import compose

    return compose.run_job(catalog, home, job)


def _there(catalog: Catalog, client: "Client", target: "Target", job: Job, *, yes: bool, dry_run: bool) -> int:
    """In a cluster: show the Job, ask, make it, show its lines, and say how it ended."""
    from ops.cluster import run as runs

    plan = runs.plan_run(catalog, client, job)
    for words in lines(plan, target):
        say(words)
    runs.check_free(plan)
    if dry_run:
        return _ended(plan, target, "planned")
    protected = target.environment.protected and not target.rehearsal
    confirm(f"Run {job.name} on {target}?", yes=yes, expect=target.environment.name if protected else "")
    runs.begin(catalog, client, plan)
    say(f"{plan.key} has begun.")
    try:
        with runs.ending(client, plan) as end:
            _show_lines(client, plan, end.done)
            end.result()
    except Failure as failure:
        raise runs.told(plan, failure, target.flags) from failure
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(f"{plan.key} goes on in the cluster; {runs.stops(plan.key)} stops it") from interrupt
    say(f"{job.name}: done", "bold green")
    return _ended(plan, target, "done")


def _show_lines(client: "Client", plan: "RunPlan", ended: "Callable[[], bool]") -> None:
    """Show a run's lines. Where they cannot be read that is said, and no more: the run goes on, and its end tells how it went."""
    from ops.cluster import run as runs

    try:
        for line in runs.follow(client, plan, ended):
            say(f"{line.pod} | {line.text}")
    except Failure as failure:
        say(f"! its lines cannot be shown: {failure.cause}; its end is waited for all the same", "yellow")


def lines(plan: "RunPlan", target: "Target") -> list[str]:
    """A plan for people."""
    return [
        f"A run on {target}:",
        f"+ {plan.key}",
        f"    from {plan.source}, as it is deployed",
        f"    image {plan.image}",
        f"    ends after {plan.seconds} s at the latest",
        *(f"! {warning}" for warning in plan.warnings),
    ]


def _ended(plan: "RunPlan", target: "Target", state: str) -> int:
    if machine_readable():
        where = {"environment": target.environment.name, "namespace": plan.key.namespace}
        emit_json({"job": plan.job, **where, "run": plan.key.name, "state": state})
    return Exit.DONE


def _job(catalog: Catalog, name: str) -> Job:
    doing = f"looking for the job {name}"
    if name == catalog.database.job:
        raise UsageError(doing, "it runs the database's migrations", "`invoke migrate` runs them.")
    known = catalog.other_jobs
    if name not in known:
        there = f"One of: {', '.join(known)}." if known else "platform.yaml has no job but that of the migrations."
        raise UsageError(doing, f"no job has that name{did_you_mean(name, known)}", there)
    return known[name]
