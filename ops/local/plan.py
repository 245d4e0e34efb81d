"""The catalogue as processes of this machine: pure, nothing is started here."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from ops.catalog import Catalog, Job, Service
from ops.config.local import Setting, environment, password
from ops.local.process import Process
from ops.local.ready import Probe
from ops.stacks import Built
from ops.stores.model import Wanted

_ROOT = Path(__file__).resolve().parents[2]  # where the build system lies: a job is one of its own modules
# What a program of this machine may need from this shell; nothing else of it reaches a service.
_KEPT = ("HOME", "LANG", "LOGNAME", "PATH", "SSL_CERT_FILE", "TMPDIR", "TZ", "USER")


def ports(catalog: Catalog) -> dict[str, int]:
    """Every local port that the platform takes, by name of the store or service."""
    return {**{s.name: s.local_port for s in catalog.stores.values()}, **{s.name: s.local_port for s in catalog.services.values()}}


def wanted_stores(catalog: Catalog, setting: Setting) -> list[Wanted]:
    """The stores, with passwords from the secrets named STORE_PASSWORD."""
    database = catalog.database
    return [
        Wanted(
            store.name,
            store.local_port,
            password(store.name, setting),
            database.name,
            database.user,
            kind=store.kind,
            contents=store.contents,
        )
        for store in catalog.stores.values()
    ]


def migrations(catalog: Catalog, setting: Setting) -> Process:
    """The database migrations, as a process that is run to its end."""
    database = catalog.database
    job = catalog.jobs[database.job]
    folder = str(catalog.root / database.migrations)
    argv = (sys.executable, "-m", job.path.replace("/", "."), "migrate", "--folder", folder)
    env = _environment(catalog, job.name, setting, {})
    return Process(job.name, argv, str(_ROOT), env, needs=job.needs, kind="job")


def job(catalog: Catalog, job: Job, built: Built, setting: Setting) -> Process:
    """Another job than the migrations, as a process that is run to its end."""
    return Process(job.name, built.argv, str(built.cwd), _environment(catalog, job.name, setting, built.env), needs=job.needs, kind="job")


def service(catalog: Catalog, service: Service, built: Built, setting: Setting) -> Process:
    """A service, ready when its readiness path answers 200 (its stores are asked there)."""
    needs = (*service.needs, catalog.database.job) if service.migrations else service.needs
    url = f"http://127.0.0.1:{service.local_port}{service.ready}"
    env = _environment(catalog, service.name, setting, built.env)
    return Process(service.name, built.argv, str(built.cwd), env, Probe("http", url=url), needs, port=service.local_port)


def processes(catalog: Catalog, stores: Mapping[str, Process], built: Mapping[str, Built], setting: Setting) -> list[Process]:
    """Everything that runs: stores, migrations, services."""
    services = [service(catalog, s, built[s.name], setting) for s in catalog.services.values()]
    return [*stores.values(), migrations(catalog, setting), *services]


def _environment(catalog: Catalog, name: str, setting: Setting, more: Mapping[str, str]) -> dict[str, str]:
    kept = {variable: os.environ[variable] for variable in _KEPT if variable in os.environ}
    own = {variable: value.reveal() for variable, value in environment(catalog, name, setting).items()}
    return {**kept, **more, **own}
