"""`run`: a job of this machine's platform, now."""

from ops.catalog import Catalog, Job
from ops.console import emit_json, machine_readable, say
from ops.errors import Exit, Failure, UsageError
from ops.exclusive import exclusive
from ops.guess import did_you_mean
from ops.local import embedded, state
from ops.local.state import State
from ops.verbs.local import current


def run(catalog: Catalog, name: str) -> int:
    """Build a job and run it to its end, on the engine on which the platform runs. Exit 1 where the job ends with another code than 0.

    Raises `UsageError` for what is no such job, and `Failure` where the platform does not run.
    """
    job = _job(catalog, name)
    home = state.of(catalog.root)
    doing = f"running {name}"
    record = current(catalog, home)
    if record is None:
        raise Failure(doing, "the platform, whose stores it needs, does not run on this machine", "Run `invoke up` first.")
    with exclusive(home.run / f"{name}.lock", f"another run of {name} is at work; waiting for it", say):
        code = _run(catalog, home, job, record.engine)
    found = {"job": name, "engine": record.engine, "exitCode": code}
    if code:
        cause = f"{name} ended with exit code {code}; its lines are above"
        raise Failure(doing, cause, "Correct what they say, then run it again.", details=found)
    if machine_readable():
        emit_json(found)
    say(f"{name}: done", "bold green")
    return Exit.DONE


def _run(catalog: Catalog, home: State, job: Job, engine: str) -> int:
    if engine == "embedded":
        return embedded.run_job(catalog, home, job)
    from ops.local import compose

    return compose.run_job(catalog, home, job)


def _job(catalog: Catalog, name: str) -> Job:
    doing = f"looking for the job {name}"
    if name == catalog.database.job:
        raise UsageError(doing, "it runs the database's migrations", "`invoke migrate` runs them.")
    known = catalog.other_jobs
    if name not in known:
        there = f"One of: {', '.join(known)}." if known else "platform.yaml has no job but that of the migrations."
        raise UsageError(doing, f"no job has that name{did_you_mean(name, known)}", there)
    return known[name]
