"""`python -m tests.benchmarks [NAME …]`: run the benchmarks whose names are given, or those that this machine can run."""

import functools
import gc
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ops import catalog
from ops.console import say, table
from tests.benchmarks.timing import Compared, command, compare

ROOT = Path(__file__).parents[2]
PYTHON = sys.executable
INVOKE = (PYTHON, "-m", "invoke")
Benchmark = Callable[[], list[Compared]]


def startup() -> list[Compared]:
    """`invoke --list` against an interpreter that does nothing, and against Invoke with no tasks of ours."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tasks.py").write_text("from invoke import task\n\n@task\ndef nothing(c):\n    pass\n")
        bare = compare("invoke --list / python -c pass", command([*INVOKE, "--list"], cwd=ROOT), command([PYTHON, "-c", "pass"]), 15)
        floor = compare(
            "invoke --list / the same with one empty task",
            command([*INVOKE, "--list"], cwd=ROOT),
            command([*INVOKE, "--list"], cwd=Path(folder)),
            15,
        )
    return [bare, floor]


def loading() -> list[Compared]:
    """The catalogue with 50 services more against a parse of the same text that checks nothing."""
    import yaml

    text = (ROOT / "platform.yaml").read_text()
    entries = "".join(
        f"  extra-{i}: {{stack: go, path: services/api-gateway, port: {20000 + i}, localPort: {30000 + i}, namespace: nextai-system}}\n"
        for i in range(50)
    )
    large = text.replace("services:\n", "services:\n" + entries, 1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("apps", "services", "packages", "ops", "infra", "k8s", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("node_modules", ".venv", ".next", "dist"))
        for file in filter(Path.is_file, ROOT.iterdir()):
            shutil.copy(file, root)
        (root / "platform.yaml").write_text(large)
        parse = functools.partial(yaml.compose, large, Loader=yaml.CSafeLoader)
        return [compare("catalogue of 54 services / yaml.compose", functools.partial(catalog.load, root), parse, 15)]


def releasing() -> list[Compared]:
    """A rehearsed release after 10,000 commits against `git log` of the same; the aim is twice that and a second."""
    commits = 10_000
    with tempfile.TemporaryDirectory() as folder:
        root, remote = Path(folder, "clone"), Path(folder, "remote.git")

        def git(*words: str, given: str = "") -> str:
            return subprocess.run(("git", *words), check=True, capture_output=True, text=True, input=given).stdout.strip()

        git("clone", "--quiet", str(ROOT), str(root))
        git("-C", str(root), "switch", "--quiet", "--force-create", "main")
        head = git("-C", str(root), "rev-parse", "HEAD")
        stream = "".join(
            f"commit refs/heads/main\nmark :{n}\ncommitter A <a@example.org> {1_700_000_000 + n} +0000\n"
            f"data <<END\nfeat(web): change {n}\n\nWhy it was made.\nEND\nfrom {f':{n - 1}' if n > 1 else head}\n"
            for n in range(1, commits + 1)
        )
        git("-C", str(root), "fast-import", "--quiet", "--force", given=stream)
        git("clone", "--quiet", "--bare", str(root), str(remote))
        git("-C", str(root), "remote", "set-url", "origin", str(remote))
        ours = command([*INVOKE, "release", "--bump", "minor", "--dry-run"], cwd=root)
        peer = command(["git", "log", "--format=%H%n%B"], cwd=root)
        return [compare(f"release --dry-run, {commits:,} commits / git log", ours, peer, 7)]


def hashing() -> list[Compared]:
    """The inputs of a service of 20,000 files, and their key, against `git status` of the same clone."""
    from ops.catalog.model import Image, Stack
    from ops.images import record
    from ops.images.inputs import gather
    from ops.images.key import key
    from ops.images.model import Inputs, Planned

    image = Image("app", Stack("plain", "Dockerfile", {}, (), 1001), "app", "Dockerfile", "n")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number in range(20_000):
            file = root / f"app/src/d{number % 200}/f{number}.ts"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"export const a{number} = {number};\n")
        for words in (("init", "-q"), ("add", "-A"), ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"), ("status",)):
            command(["git", *words], cwd=root)()

        gc.set_threshold(100_000)  # as tasks.py has it

        def ours() -> None:
            inputs = Inputs("Dockerfile", "FROM scratch\n", "linux/amd64", {}, {}, gather(root, [image])["app"])
            record.remember(root, Planned("app", key(inputs), "r", "present", inputs))

        return [compare("inputs and key of 20,000 files / git status", ours, command(["git", "status"], cwd=root), 15)]


def building() -> list[Compared]:
    """See `tests/benchmarks/testbed.py`."""
    from tests.benchmarks import testbed

    return testbed.building()


def deploying() -> list[Compared]:
    """See `tests/benchmarks/testbed.py`."""
    from tests.benchmarks import testbed

    return testbed.deploying()


def looking() -> list[Compared]:
    """See `tests/benchmarks/testbed.py`."""
    from tests.benchmarks import testbed

    return testbed.looking()


def migrating() -> list[Compared]:
    """See `tests/benchmarks/migrations.py`. Needs `pnpm install`."""
    from tests.benchmarks import migrations

    return migrations.migrating()


BENCHMARKS: dict[str, Benchmark] = {
    "startup": startup,
    "loading": loading,
    "hashing": hashing,
    "migrating": migrating,
    "releasing": releasing,
    "building": building,
    "deploying": deploying,
    "looking": looking,
}
ANYWHERE = ("startup", "loading", "hashing", "releasing")


def main() -> None:
    names = sys.argv[1:] or list(ANYWHERE)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"unknown benchmark {', '.join(unknown)}; one of {', '.join(BENCHMARKS)}")
    say(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; medians in ms")
    rows = [compared.row() for name in names for compared in BENCHMARKS[name]()]
    table(("ours / peer", "ours ms", "peer ms", "ratio", "of the fastest", "of processor time", "runs"), rows)


if __name__ == "__main__":
    main()
