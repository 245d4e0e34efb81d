"""What may change a cluster: one file sends such requests, and who calls it is listed here, with what each writes."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

OPS = Path(__file__).resolve().parents[2] / "ops"
PLACE = "ops/kube/write.py"
WRITERS = {
    "ops/cluster/apply.py": "deletes objects of a plan",
    "ops/cluster/applying.py": "applies objects of a plan, and asks what an apply would do",
    "ops/cluster/leftovers.py": "stops Jobs and removes claims of a deploy that failed",
    "ops/cluster/lock.py": "takes, renews and gives back the Lease",
    "ops/cluster/ownership.py": "takes over what kubectl has applied, before it is applied",
    "ops/cluster/record.py": "keeps records",
    "ops/cluster/rights.py": "asks what this account may do",
    "ops/cluster/run.py": "makes the Job of a run now, and asks before whether it would be taken",
    "ops/cluster/shell.py": "adds a debug container to a pod",
    "ops/kube/watch.py": "frees a StatefulSet of a broken pod of its former revision",
}
KUBECTL = {"attach", "exec", "port-forward"}  # streams: none of them changes an object


def sources() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted(OPS.rglob("*.py")):
        yield file.relative_to(OPS.parent).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def sent(tree: ast.Module) -> Iterator[str]:
    """The method of each request to the API server; the empty string for one that is no constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "request":
            of = ast.unparse(node.func.value)
            if of == "self" or of.endswith("client"):
                yield node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else ""  # type: ignore[misc]


def names(tree: ast.Module) -> set[str]:
    """What a module imports, by full name."""
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in imported for alias in node.names}


def test_one_file_sends_the_requests_that_change_a_cluster() -> None:
    writing = {name for name, tree in sources() if set(sent(tree)) - {"GET"}}
    assert writing == {PLACE}


def test_who_writes_to_a_cluster_is_listed() -> None:
    importing = {name for name, tree in sources() if any(one.startswith("ops.kube.write") for one in names(tree))}
    assert importing == set(WRITERS)


def test_kubectl_changes_no_object_of_an_environment() -> None:
    verbs = set()
    for folder in ("cluster", "kube", "verbs"):
        for file in (OPS / folder).rglob("*.py"):
            verbs |= set(re.findall(r"""\(\*(?:kubectl\([^)]*\)|program), "([\w-]+)\"""", file.read_text(encoding="utf-8")))
    assert verbs == KUBECTL
