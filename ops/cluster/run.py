"""A run of a job now, outside its schedule and of deploys: planned from what is deployed, begun under the lock, followed to its end.

The lock is held while the Job is made, so that it is not made in the middle of a deploy, and that two never begin at once. It is not held
while the Job runs: that may take an hour, and the runs that the schedule begins hold none either.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace

from ops.catalog.model import Catalog, Job
from ops.cluster import record
from ops.cluster.lock import hold, whoami
from ops.cluster.loglines import LogLine, LogSelection
from ops.cluster.pods import Selector, is_run
from ops.cluster.target import target_of
from ops.errors import Failure, Refused
from ops.kube import write
from ops.kube.broken import objects_of
from ops.kube.client import Client
from ops.kube.discovery import Resource
from ops.kube.objects import Key, Object, at, containers_of, key_of, number, pod_template, table, text
from ops.kube.readiness.job import ended

STARTED_BY = "cronjob.kubernetes.io/instantiate"  # as kubectl marks a run that a person begins
BEGIN_SECONDS = 120.0  # beside its deadline: until its pod is scheduled, and its image is there
KEPT_SECONDS = 7 * 24 * 3600  # a run without a schedule, after its end: no CronJob owns it, whose history limits would delete it
ALL_LINES = 100_000


@dataclass(frozen=True, slots=True)
class RunPlan:
    """The Job that would be made for a run of `job`; `source`: the object that it is made from; `busy`: the run that must end first."""

    job: str
    manifest: Object
    source: Key
    busy: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        """The Job's key."""
        return key_of(self.manifest)

    @property
    def seconds(self) -> int:
        """Its deadline."""
        return number(self.manifest, "spec", "activeDeadlineSeconds")

    @property
    def image(self) -> str:
        """What runs."""
        return next((text(container, "image") for container in containers_of(pod_template(self.manifest) or {})), "")


def plan_run(catalog: Catalog, client: Client, job: Job) -> RunPlan:
    """What a run of a job would be: its CronJob's template as it is in the cluster; without a schedule, its Job as it was deployed last.

    The API server is asked whether it would take it; nothing is made. Raises `Refused` for a job that was not deployed.
    """
    name = f"{job.name}-run-{uuid.uuid4().hex[:8]}"
    made = _made(catalog, client, job, name)
    if made is None:
        flags = target_of(client).flags
        raise Refused(f"running {job.name}", f"it has not been deployed to {target_of(client)}", f"Run `invoke deploy {flags}` first.")
    manifest, source = made
    jobs = client.resource_of(manifest)
    write.create(client, jobs.path(job.namespace), manifest, {"dryRun": "All"})
    return RunPlan(job.name, manifest, key_of(source), _busy(catalog, client, jobs, job.name, job.namespace), _warnings(source))


def begin(catalog: Catalog, client: Client, plan: RunPlan) -> Key:
    """Make the Job. Raises `Refused` where another change of the environment is under way, or a run that must end first; and where the Job
    would be another one by now than the plan has: its image may not fit the schema that a deploy brought meanwhile.
    """
    jobs = client.resource_of(plan.manifest)
    with hold(client, catalog.namespaces[0], whoami()) as lock:
        now = _made(catalog, client, catalog.jobs[plan.job], plan.key.name)
        if now is None or now[0] != plan.manifest:
            cause = "it was deployed anew since the plan was shown" if now else "it has been removed since the plan was shown"
            raise Refused(f"running {plan.job}", cause, "Run it again: the plan is then made of what is there now.")
        check_free(replace(plan, busy=_busy(catalog, client, jobs, plan.job, plan.key.namespace)))
        lock.check()
        write.create(client, jobs.path(plan.key.namespace), plan.manifest)
    return plan.key


def check_free(plan: RunPlan) -> None:
    """Raise `Refused` where another run of the job has not ended."""
    if plan.busy:
        remedy = f"Wait for its end, or stop it: {stops(replace(plan.key, name=plan.busy))}."
        raise Refused(f"running {plan.job}", f"its run {plan.busy} has not ended, and none is begun beside another", remedy)


def follow(client: Client, plan: RunPlan, ended: Callable[[], bool]) -> Iterator[LogLine]:
    """The lines of a run while it writes them, until `ended`, and those that came before it."""
    from ops.cluster.follow import follow as lines

    selector = Selector(plan.key.namespace, f"batch.kubernetes.io/job-name={plan.key.name}")
    return lines(client, selector, LogSelection(tail=ALL_LINES), going=lambda: not ended())


@contextmanager
def ending(client: Client, plan: RunPlan) -> "Iterator[Future[None]]":
    """Its end, which is waited for in a thread: the future raises `Failure` with the cause where the run fails."""
    from ops.kube import watch

    end: Future[None] = Future()
    left = threading.Event()

    def check() -> None:
        if left.is_set():
            raise Failure(f"running {plan.job}", "nobody waits for it any more", "")

    def waiting() -> None:
        try:
            watch.wait(client, [plan.key], seconds=plan.seconds + BEGIN_SECONDS, tell=lambda _: None, check=check)
        except BaseException as error:  # `result` raises it in the thread that asks
            end.set_exception(error)
        else:
            end.set_result(None)

    thread = threading.Thread(target=waiting, name="run", daemon=True)
    thread.start()
    try:
        yield end
    finally:
        left.set()
        thread.join(timeout=BEGIN_SECONDS)


def told(plan: RunPlan, failure: Failure, flags: str) -> Failure:
    """A run's failure, with what can be done about it; or that its end could not be watched, which says nothing about the run."""
    if not _has_failed(failure):
        return _unwatched(plan, failure, flags)
    remedies = dict.fromkeys(text(broken, "remedy") for broken in objects_of(failure))  # type: ignore[arg-type]
    again = f"Then run it again. `invoke logs {plan.job} {flags}` shows its lines."
    return Failure(f"running {plan.job}", failure.cause, " ".join([*(remedies or [failure.remedy]), again]), details=failure.details)


def stops(run: Key) -> str:
    """The command that ends a run."""
    return f"`kubectl --namespace={run.namespace} delete job/{run.name}`"


def _has_failed(failure: Failure) -> bool:
    """Whether a failure is the run's own, and not the watch's: that names no object, or one that was still waited for."""
    return any(text(broken, "reason") != "waiting" for broken in objects_of(failure))  # type: ignore[arg-type]


def _unwatched(plan: RunPlan, failure: Failure, flags: str) -> Failure:
    """Not told as the run's failure: who then runs it again has its work done twice."""
    see = f"`kubectl --namespace={plan.key.namespace} get job/{plan.key.name}` shows whether it has ended"
    remedy = f"The run may go on: {see}, `invoke logs {plan.job} {flags}` its lines, and {stops(plan.key)} stops it."
    cause = f"the end of {plan.key} could not be watched: {failure.cause}"
    run = {"run": plan.key.name, "namespace": plan.key.namespace, "state": "unknown"}
    return Failure(f"waiting for {plan.job}", cause, remedy, details={**failure.details, **run})


def _warnings(source: Object) -> tuple[str, ...]:
    """What of its schedule a person may not expect. The CronJob controller counts only the runs that it began itself."""
    if key_of(source).kind != "CronJob":
        return ()
    if at(source, "spec", "suspend") is True:
        return ("its schedule is suspended: this run begins all the same",)
    return ("its schedule does not count this run, and may begin another beside it",)


def _made(catalog: Catalog, client: Client, job: Job, name: str) -> tuple[Object, Object] | None:
    """The Job of this name that a run would be, and the object that it is made from; nothing where the job was not deployed."""
    return _of_schedule(client, job, name) if job.schedule else _of_deploy(catalog, client, job, name)


def _of_schedule(client: Client, job: Job, name: str) -> tuple[Object, Object] | None:
    """The Job from the CronJob's template, and the CronJob: which owns it, so that `status` shows it among the runs."""
    resource = client.resource("batch/v1", "CronJob")
    live = client.get(resource, job.namespace, job.name) if resource else None
    if live is None:
        return None
    uid = text(live, "metadata", "uid")
    owner: Object = {"apiVersion": "batch/v1", "kind": "CronJob", "name": job.name, "uid": uid, "controller": True}
    template = table(live, "spec", "jobTemplate")
    metadata: Object = {
        "name": name,
        "namespace": job.namespace,
        "labels": {**table(template, "metadata", "labels")},
        "annotations": {**table(template, "metadata", "annotations"), STARTED_BY: "manual"},
        "ownerReferences": [owner],
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": deepcopy(table(template, "spec"))}, live


def _of_deploy(catalog: Catalog, client: Client, job: Job, name: str) -> tuple[Object, Object] | None:
    """The Job as the last good record has it, and that: the one in the cluster has fields of the API server, which no other may have."""
    home = catalog.namespaces[0]
    header = record.last_good(record.history(client, home))
    if header is None:
        return None
    deployed = [o for o in record.load(client, home, header).objects if key_of(o).kind == "Job" and key_of(o).namespace == job.namespace]
    found = next((o for o in deployed if is_run(catalog, job.name, key_of(o).name)), None)
    if found is None:
        return None
    # Without the labels of what a deploy owns: the next one would delete it.
    metadata: Object = {"name": name, "namespace": job.namespace, "annotations": {STARTED_BY: "manual"}}
    spec = {**deepcopy(table(found, "spec")), "ttlSecondsAfterFinished": KEPT_SECONDS}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}, found


def _busy(catalog: Catalog, client: Client, jobs: Resource, job: str, namespace: str) -> str:
    """The run of a job that has not ended, whoever began it; or the empty string."""
    names = (text(one, "metadata", "name") for one in client.find(jobs, namespace) if not ended(one))
    return next((name for name in names if is_run(catalog, job, name)), "")
