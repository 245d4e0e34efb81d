"""A checkout of its own, of one service, one job and PostgreSQL, on which the verbs are run as programs."""

import json
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ops import catalog as catalogue
from ops import testbed as rooms
from ops import tools
from ops.testbed import Testbed
from ops.testbed.existing import CONTEXT, KUBECONFIG
from ops.testbed.existing import REGISTRY as NAMED_REGISTRY
from tests.integration import probe_image

ROOT: Final = Path(__file__).parents[2]
REGISTRY, PREFIX = "registry.nextai-agent.com", "nextai"
POSTGRES: Final = catalogue.load(ROOT).stores["postgres"].image
TAG: Final = "0000_once"
# Neither of the two can be done twice without its being seen.
SQL: Final = "CREATE TABLE once (n int NOT NULL);\n--> statement-breakpoint\nINSERT INTO once VALUES (1);\n"
PLATFORM: Final = """\
platform: faults
registry: {registry}
prefix: {prefix}
nodes: linux/amd64
stacks:
  probe: {{dockerfile: Dockerfile, test: ["true"], user: 1001}}
services:
  fx-web: {{stack: probe, path: web, files: [probe], port: 8080, localPort: 18971, namespace: {home}}}
jobs:
  fx-migrate: {{stack: probe, path: job, files: [probe], namespace: {home}, needs: [postgres]}}
stores:
  postgres: {{image: "{postgres}", port: 5432, localPort: 18972, namespace: {data}, data: /var/lib/postgresql}}
namespaces: [{home}, {data}]
database: {{store: postgres, name: faults, user: faults, migrations: migrations, job: fx-migrate}}
environments:
  local: {{kind: local, domain: "localhost:18971"}}
  staging: {{kind: kubernetes, domain: faults.example, overlay: overlay, cluster: {{context: faults, server: "https://faults.example"}}}}
variables:
  DATABASE_URL: {{type: url, required: true, secret: true, readers: [fx-migrate], description: PostgreSQL}}
  POSTGRES_PASSWORD: {{required: true, secret: true, readers: [postgres], description: Its password}}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a verb ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it gave to machines."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Checkout:
    """The folder, and the environment that its verbs get. Nothing in it is shared with another checkout."""

    root: Path
    name: str = field(default_factory=lambda: f"fx-{uuid.uuid4().hex[:6]}")

    @property
    def home(self) -> str:
        return f"{self.name}-system"

    @property
    def data(self) -> str:
        return f"{self.name}-data"

    def make(self, program: Path | None = None) -> "Checkout":
        """Write it. Without a program of its own its images cannot be built."""
        self.root.mkdir(parents=True)
        for name in ("ops", "infra"):  # the verbs, and what says which programs they take
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        for name in ("tasks.py", "pyproject.toml"):
            shutil.copy(ROOT / name, self.root / name)
        values = {"registry": REGISTRY, "prefix": PREFIX, "postgres": POSTGRES, "home": self.home, "data": self.data}
        journal = {"idx": 0, "version": "7", "when": 1700000000000, "tag": TAG, "breakpoints": True}
        texts = {
            "platform.yaml": PLATFORM.format(**values),
            "Dockerfile": 'FROM scratch\nCOPY probe /probe\nCOPY */name /name\nUSER 1001\nENTRYPOINT ["/probe"]\n',
            f"migrations/{TAG}.sql": SQL,
            "migrations/meta/_journal.json": json.dumps({"version": "7", "dialect": "postgresql", "entries": [journal]}),
            "overlay/kustomization.yaml": json.dumps({"resources": ["objects.json"]}),
        }
        (self.root / "probe").touch()
        if program:
            shutil.copy(program, self.root / "probe")
        for path in ("web", "job"):
            (self.root / path).mkdir()
            (self.root / path / "name").write_text(f"{self.name} {path}")  # another checkout's are other images
        for path, text in texts.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        self.greet("hello")
        git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "x")):
            subprocess.run((*git, *words), cwd=self.root, check=True)
        return self

    def greet(self, greeting: str) -> None:
        """What the service is configured with: another word is a change to deploy."""
        (self.root / "overlay" / "objects.json").write_text("\n---\n".join(map(json.dumps, self._objects(greeting))))

    def verb(self, *words: str, env: Mapping[str, str], timeout: float = 240) -> Ended:
        """Run `invoke WORDS --env staging --testbed` to its end."""
        argv = (sys.executable, "-m", "invoke", *words, "--env", "staging", "--testbed")
        own = self._environment(env)
        done = subprocess.run(argv, cwd=self.root, env=own, input="", capture_output=True, text=True, check=False, timeout=timeout)
        return Ended(done.returncode, done.stdout, done.stderr)

    def shell(self, line: str, until: str, env: Mapping[str, str]) -> str:
        """Type a line into `invoke shell`, and return what it writes up to `until`.

        Standard input stays open until then: with its end Kubernetes ends the connection, whatever is still to be written.
        """
        argv = (sys.executable, "-m", "invoke", "shell", "fx-web", "--env", "staging", "--testbed")
        with subprocess.Popen(
            argv,
            cwd=self.root,
            env=self._environment(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdin and child.stdout and child.stderr
            limit = threading.Timer(120, child.kill)
            limit.start()
            child.stdin.write(f"{line}\n")
            child.stdin.flush()
            said = []
            for written in child.stdout:
                said.append(written)
                if until in written:
                    break
            child.stdin.close()
            said += child.stdout
            limit.cancel()
            return "".join([*said, child.stderr.read()])

    @staticmethod
    def _environment(env: Mapping[str, str]) -> dict[str, str]:
        """This process's, without what says which cluster and engine are meant."""
        return {**{name: value for name, value in os.environ.items() if not name.startswith(("NEXTAI_TESTBED", "KUBE", "DOCKER"))}, **env}

    def _objects(self, greeting: str) -> list[dict[str, Any]]:
        image = f"{REGISTRY}/{PREFIX}"
        probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
        asks = {"exec": {"command": ["pg_isready", "--username=faults", "--host=127.0.0.1"]}, "periodSeconds": 1, "failureThreshold": 60}
        web = self._container("fx-web", f"{image}/fx-web", env=[{"name": "GREETING", "value": greeting}], readinessProbe=probe)
        job = self._container("fx-migrate", f"{image}/fx-migrate", args=["once"], envFrom=[{"secretRef": {"name": "fx-migrate-secrets"}}])
        settings = {"POSTGRES_DB": "faults", "POSTGRES_USER": "faults", "PGDATA": "/var/lib/postgresql/pgdata"}
        postgres = self._container(
            "postgres",
            POSTGRES,
            env=[{"name": name, "value": value} for name, value in settings.items()],
            envFrom=[{"secretRef": {"name": "postgres-secrets"}}],
            readinessProbe=asks,
            volumeMounts=[{"name": "data", "mountPath": "/var/lib/postgresql"}],
        )
        spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [job]}}}
        return [
            *({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (self.home, self.data)),
            self._workload("Deployment", "fx-web", self.home, web),
            self._service("fx-web", self.home, 8080),
            self._workload("StatefulSet", "postgres", self.data, postgres, {"serviceName": "postgres"}),
            self._service("postgres", self.data, 5432),
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "fx-migrate", "namespace": self.home}, "spec": spec},
        ]

    @staticmethod
    def _container(name: str, image: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "image": image, "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}}, **more}

    @staticmethod
    def _workload(
        kind: str,
        name: str,
        namespace: str,
        container: dict[str, Any],
        more: dict[str, Any] | None = None,
        volumes: list[Any] | None = None,
    ) -> dict[str, Any]:
        pod = {"containers": [container], "terminationGracePeriodSeconds": 1, "volumes": [{"name": "data", "emptyDir": {}}]}
        template = {"metadata": {"labels": {"app": name}}, "spec": pod}
        spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, **(more or {})}
        return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}

    @staticmethod
    def _service(name: str, namespace: str, port: int) -> dict[str, Any]:
        spec = {"selector": {"app": name}, "ports": [{"port": port}]}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def program(folder: Path) -> Path:
    """The service's and the job's program."""
    folder.mkdir(parents=True, exist_ok=True)
    return probe_image.build(folder, tools.find("go").argv[0], "faults")


def named(testbed: Testbed, config: Path, address: str) -> dict[str, str]:
    """The environment in which `--testbed` means this API server and this registry."""
    own = {name: value for name, value in rooms.environment(testbed).items() if name in ("DOCKER_HOST", "DOCKER_CONFIG", "PATH")}
    return {**own, KUBECONFIG: str(config), CONTEXT: testbed.context, NAMED_REGISTRY: address}
