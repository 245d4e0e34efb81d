"""What a deploy asks of the checkout while it reaches the cluster."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ops.background import begin
from ops.errors import Failure

ROOT = Path(__file__).parents[2]


def test_an_answer_is_given_and_an_error_is_raised_where_it_is_taken() -> None:
    def fail() -> str:
        raise Failure("asking", "no", "ask again")

    assert begin(lambda: threading.current_thread().daemon).result(10) is True
    with pytest.raises(Failure, match="no"):
        begin(fail).result(10)


def test_what_nobody_takes_keeps_no_process_from_ending() -> None:
    program = "import threading\nfrom ops.background import begin\nbegin(threading.Event().wait)\n"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_a_connection_to_a_cluster_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """What an import costs is paid at every no-op deploy: requests alone takes as long as asking the cluster."""
    program = f"""
import json, sys
from pathlib import Path
from types import SimpleNamespace
from ops.kube.connect import connect
from ops.errors import Failure
file = Path({str(tmp_path / "config")!r})
cluster = {{"name": "c", "cluster": {{"server": "http://127.0.0.1:1"}}}}
file.write_text(json.dumps({{"clusters": [cluster], "contexts": [{{"name": "c", "context": {{"cluster": "c"}}}}]}}))
try:
    with connect(SimpleNamespace(kubeconfig=file, context="c", server="http://127.0.0.1:1", agent="test")): pass
except Failure as failure: assert "does not answer" in failure.cause, failure.cause
print(sorted({{name.partition(".")[0] for name in sys.modules}} & {{"kubernetes", "requests", "oauthlib", "docker", "httpx", "rich"}}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_children_keep_their_modules_in_a_folder_where_python_was_told_to_keep_none(tmp_path: Path) -> None:
    program = f"""
import subprocess, sys
from pathlib import Path
from ops import bytecode
bytecode.keep_for_children(Path({str(tmp_path)!r}))
print(subprocess.run([sys.executable, "-c", "import ops.errors, sys; print(sys.pycache_prefix)"], stdout=-1, text=True, check=True).stdout)
"""
    env = {"PATH": "/usr/bin:/bin"}
    for given, prefix in (({"PYTHONDONTWRITEBYTECODE": "1"}, str(tmp_path)), ({}, "None")):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**env, **given}, check=True, capture_output=True, text=True)
        assert done.stdout.strip() == prefix
        assert bool(list(tmp_path.rglob("errors.*.pyc"))) is (prefix != "None")
        for file in tmp_path.rglob("*.pyc"):
            file.unlink()


def test_modules_are_kept_in_the_cache_folder_where_python_was_told_to_keep_none(tmp_path: Path) -> None:
    program = "from ops import bytecode\nbytecode.keep()\nimport ops.kube.objects, sys\nprint(sys.pycache_prefix)\n"
    env = {"PATH": "/usr/bin:/bin", "NEXTAI_CACHE": str(tmp_path)}
    for given, there in (({"PYTHONDONTWRITEBYTECODE": "1"}, True), ({}, False)):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**env, **given}, check=True, capture_output=True, text=True)
        assert (done.stdout.strip() != "None") is there
        assert bool(list(tmp_path.rglob("objects.*.pyc"))) is there
        for file in tmp_path.rglob("*.pyc"):
            file.unlink()
