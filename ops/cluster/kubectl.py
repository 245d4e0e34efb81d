"""kubectl where a person's terminal or a local port is to be joined to a pod: both are streams that it does well."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ops.cluster.target import Target
from ops.command import Command, Completed, run
from ops.errors import Failure

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def kubectl(target: Target) -> tuple[str, ...]:
    """kubectl's argv for a target. Raises `Failure` when there is none."""
    program = str(target.kubectl) if target.kubectl else shutil.which("kubectl")
    if program is None or not Path(program).exists():
        raise Failure("looking for kubectl", "it is not on PATH", "Install kubectl, of a version near the cluster's.")
    kubeconfig = (f"--kubeconfig={target.kubeconfig}",) if target.kubeconfig else ()
    return (program, *kubeconfig, f"--context={target.context}")


def execute(target: Target, namespace: str, pod: str, argv: Sequence[str], *, stdin: str | None = None) -> Completed:
    """Run a program in a pod (`NAME`, or `deploy/NAME`) and return what it wrote. Secrets go through `stdin`, never through argv."""
    interactive = () if stdin is None else ("--stdin",)
    command = Command(
        (*kubectl(target), "exec", f"--namespace={namespace}", *interactive, pod, "--", *argv),
        f"running {argv[0]} in {namespace}/{pod}",
        stdin=stdin,
        remedy="See `invoke status`.",
    )
    return run(command, timeout=60)


@contextmanager
def forward(target: Target, namespace: str, resource: str, port: int) -> Iterator[int]:
    """A free port of this machine that leads to `resource` (such as `service/NAME`) while the block runs."""
    argv = (*kubectl(target), "port-forward", f"--namespace={namespace}", "--address=127.0.0.1", resource, f":{port}")
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True)
    assert child.stdout is not None
    try:
        said: list[str] = []
        for line in child.stdout:
            said.append(line.strip())
            found = _FORWARDING.search(line)
            if found:
                yield int(found.group(1))
                return
        raise Failure(f"reaching {resource} in {namespace}", "\n".join(said) or "kubectl ended", "See `invoke status`.")
    finally:
        child.terminate()
        child.wait()
        child.stdout.close()
