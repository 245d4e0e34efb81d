"""A canary is put wherever a secret can be, everything fails, and nothing that is printed or kept has it."""

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import Failure
from tests.copied import copy_without_sources

ROOT = Path(__file__).resolve().parents[2]
WORDS = "kanarie-7f3a9c21"
CANARY = f"{WORDS}@/x{WORDS}"  # not percent-encoded: a reader takes its tail for a host
FORMS = (WORDS, base64.b64encode(WORDS.encode()).decode()[:16])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, with the canary in its settings, its remote and its commits' author."""
    root = tmp_path_factory.mktemp("canary") / "checkout"
    copy_without_sources(root)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        ["commit", "-qm", "feat: one"],
        ["remote", "add", "origin", f"https://me:{WORDS}@127.0.0.1:{port}/a.git"],
    ):
        subprocess.run([*git, *words], cwd=root, check=True)
    (root / ".env.local").write_text(f"DATABASE_URL=postgresql://nextai:{CANARY}@127.0.0.1:{port}/db\nJWT_SECRET={WORDS}\n")
    user = {"name": "u", "user": {"token": WORDS, "password": WORDS}}
    server = {"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}", "proxy-url": f"http://me:{WORDS}@127.0.0.1:{port}"}}
    context = {"name": "nextai-staging", "context": {"cluster": "c", "user": "u"}}
    config = {"clusters": [server], "users": [user], "contexts": [context], "current-context": "nextai-staging"}
    (root.parent / "kubeconfig").write_text(json.dumps(config))
    login = {"auth": base64.b64encode(f"me:{CANARY}".encode()).decode(), "identitytoken": WORDS}
    (root.parent / "docker").mkdir()
    (root.parent / "docker" / "config.json").write_text(json.dumps({"auths": {"registry.nextai-agent.com": login}}))
    catalogue = root / "platform.yaml"
    catalogue.write_text(catalogue.read_text().replace("https://k8s.staging.nextai-agent.com:6443", f"https://127.0.0.1:{port}"))
    return root


VERBS = [
    "migrate --env local --dry-run",
    "migrate.status --env local",
    "migrate --env staging --dry-run",
    "plan --env staging",
    "deploy --env staging --yes",
    "status --env staging",
    "history --env staging",
    "logs web --env staging",
    "rollback --env staging --yes",
    "scale web --replicas 2 --env staging --yes",
    "build web --push --dry-run",
    "release --bump minor --dry-run",
    "release --bump minor --testbed --dry-run",
    "doctor",
]


@pytest.mark.parametrize("words", VERBS)
def test_no_verb_prints_or_keeps_a_secret(checkout: Path, words: str) -> None:
    away = checkout.parent
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NEXTAI_", "KUBE", "DOCKER", "GIT_", "XDG_"))}
    own = {"KUBECONFIG": str(away / "kubeconfig"), "DOCKER_CONFIG": str(away / "docker"), "NEXTAI_STATE": str(away / "state")}
    environment = {**kept, **own, "GITHUB_TOKEN": WORDS, "DATABASE_URL": f"postgresql://nextai:{CANARY}@127.0.0.1/db"}
    for more in ([], ["--json"]) if words.startswith(("deploy", "migrate ", "release")) else ([],):
        argv = [sys.executable, "-m", "invoke", *words.split(), *more]
        done = subprocess.run(
            argv, cwd=checkout, env=environment, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
        )
        assert done.stdout + done.stderr
        assert not [form for form in FORMS if form in done.stdout + done.stderr], done.stdout + done.stderr
        assert "defect of the build system" not in done.stderr, done.stderr
    secret = {away / "state" / "secrets.json"}
    kept_files = [file for file in (away / "state").rglob("*") if file.is_file() and file not in secret]
    assert not [file for file in kept_files if any(form.encode() in file.read_bytes() for form in FORMS)]


def test_the_last_line_of_defence_is_the_failure_itself() -> None:
    failure = Failure("reading postgresql://u:abc@h/d", "https://token123@h/x said: password=abc", "curl -H 'Bearer abcdefghij'")
    assert "abc" not in str(failure) + json.dumps(failure.document())
    assert "token123" not in failure.cause and "https://***@h/x" in failure.cause
