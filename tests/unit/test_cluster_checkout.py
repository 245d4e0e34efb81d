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


def test_the_client_of_the_cluster_comes_without_its_models_and_they_are_there_for_who_asks() -> None:
    program = """
import sys
from ops.cluster import imports
imports.prepare()
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
api = ApiClient(Configuration())
assert len([name for name in sys.modules if name.startswith("kubernetes.")]) < 40, sorted(sys.modules)
import kubernetes.client
assert kubernetes.client.V1Pod.openapi_types["spec"] == "V1PodSpec"
assert kubernetes.client.CoreV1Api(api)
assert kubernetes.client.ApiClient is ApiClient
imports.prepare()
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_threads_that_ask_at_once_for_what_is_not_loaded_get_the_same() -> None:
    program = """
import threading
from ops.cluster import imports
imports.prepare()
import kubernetes.client
got = []
threads = [threading.Thread(target=lambda: got.append(kubernetes.client.V1Pod)) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(got) == 8 and len(set(got)) == 1, got
assert not hasattr(kubernetes.client, "nothing")
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


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
    program = "from ops import bytecode\nbytecode.keep()\nimport ops.cluster.objects, sys\nprint(sys.pycache_prefix)\n"
    env = {"PATH": "/usr/bin:/bin", "NEXTAI_CACHE": str(tmp_path)}
    for given, there in (({"PYTHONDONTWRITEBYTECODE": "1"}, True), ({}, False)):
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**env, **given}, check=True, capture_output=True, text=True)
        assert (done.stdout.strip() != "None") is there
        assert bool(list(tmp_path.rglob("objects.*.pyc"))) is there
        for file in tmp_path.rglob("*.pyc"):
            file.unlink()
