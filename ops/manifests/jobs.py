"""The objects of a job: a CronJob where it has a schedule, else a Job that runs with the deploy that brings its content."""

from ops.catalog import Catalog, Job
from ops.catalog.values import seconds
from ops.config.local import secret_name
from ops.documents import Json
from ops.kube.objects import Object
from ops.kube.order import AFTER_MIGRATIONS
from ops.manifests import migration
from ops.manifests.base import NAME, Objects, account, config_name, head, reaches

LATE_SECONDS = 3600  # a run that could not begin in time (the cluster was away) begins so much later at most
HISTORY = 3  # runs that ended well are kept, and as many that failed: their pods and lines tell why
TRIES = 3


def of_job(catalog: Catalog, job: Job) -> Objects:
    """All objects of a job. That of the database's migrations has a scratch server beside it, and a file of its own here."""
    if job.name == catalog.database.job:
        return [account(job), migration.job(catalog, job)]
    return [account(job), _scheduled(catalog, job) if job.schedule else _with_deploys(catalog, job)]


def component(catalog: Catalog, job: Job) -> str:
    """The label app.kubernetes.io/component of a job: by it a deploy tells what waits for the migrations."""
    if job.name == catalog.database.job:
        return migration.COMPONENT
    return "schedule" if job.schedule else AFTER_MIGRATIONS


def reads_settings(catalog: Catalog, job: Job) -> bool:
    """Whether a job has a ConfigMap: it reads a variable that is no secret, and whose value its manifest does not say."""
    return job.name != catalog.database.job and any(not variable.secret for variable in catalog.variables_of(job.name))


def _scheduled(catalog: Catalog, job: Job) -> Object:
    """Runs never overlap: where one still runs at the time of the next, that next one is left out."""
    spec: Object = {
        "schedule": job.schedule,
        "timeZone": job.time_zone,
        "concurrencyPolicy": "Forbid",
        "startingDeadlineSeconds": LATE_SECONDS,
        "successfulJobsHistoryLimit": HISTORY,
        "failedJobsHistoryLimit": HISTORY,
        "jobTemplate": {"metadata": {"labels": {NAME: job.name}}, "spec": _run(catalog, job)},
    }
    return {**head("batch/v1", "CronJob", job.name, job.namespace), "spec": spec}


def _with_deploys(catalog: Catalog, job: Job) -> Object:
    return {**head("batch/v1", "Job", job.name, job.namespace), "spec": _run(catalog, job)}


def _run(catalog: Catalog, job: Job) -> Object:
    """One run: a pod, another where that fails, and an end by the deadline whatever happens."""
    sources: list[Json] = []
    if reads_settings(catalog, job):
        sources.append({"configMapRef": {"name": config_name(job.name)}})
    if any(variable.secret for variable in catalog.variables_of(job.name)):
        sources.append({"secretRef": {"name": secret_name(job.name)}})
    container: Object = {
        "name": job.name,
        "image": catalog.repository(job.name),
        **({"envFrom": sources} if sources else {}),
        "resources": {"requests": {**job.resources.requests}, "limits": {**job.resources.limits}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - a volume of the pod's own
    }
    pod: Object = {
        "serviceAccountName": job.name,
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    template: Object = {"metadata": {"labels": {NAME: job.name, **reaches(job)}}, "spec": pod}
    return {"backoffLimit": TRIES - 1, "activeDeadlineSeconds": seconds(job.deadline), "template": template}
