"""`invoke new`: a service is one folder and one entry, or nothing at all."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ops import catalog
from ops.catalog import Catalog
from ops.catalog.edit import with_entry
from ops.errors import Failure, Refused, UsageError
from ops.stacks import kind_of, scaffold
from ops.verbs import new as verb
from ops.verbs import new_record, sync
from tests.copied import copy_without_sources

ROOT = catalog.load().root


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this checkout, which the verb takes for its own; packages are locked by nobody."""
    copy_without_sources(tmp_path)
    subprocess.run(("git", "init", "-q"), cwd=tmp_path, check=True)
    monkeypatch.setattr(verb, "load", lambda root=tmp_path: catalog.load(root))
    monkeypatch.setattr(verb, "kind_of", lambda stack: replace(kind_of(stack), lock=lambda _: None))
    return tmp_path


def contents(root: Path) -> dict[str, bytes]:
    found = {path.relative_to(root): path for path in root.rglob("*") if path.is_file()}
    return {str(name): path.read_bytes() for name, path in found.items() if name.parts[0] != ".git"}


@pytest.mark.parametrize("stack", scaffold.stacks(ROOT))
def test_a_service_is_one_folder_and_one_entry(checkout: Path, stack: str) -> None:
    before = contents(checkout)
    assert verb.new("plug-in-service", stack, dry_run=False) == 0
    after = contents(checkout)
    derived = {str(path) for path in sync.derived(catalog.load(checkout))}
    by_hand = {name for name in after if after[name] != before.get(name)} - derived
    folder = f"{'apps' if stack == 'nextjs' else 'services'}/plug-in-service/"
    assert {name for name in by_hand if not name.startswith(folder)} == {"platform.yaml"}
    old, new = (one["platform.yaml"].decode().splitlines() for one in (before, after))
    start = new.index("  plug-in-service:")
    length = len(new) - len(old)
    assert length < 15 and [*new[:start], *new[start + length :]] == old
    assert [name for name in after if name.startswith(folder)]
    assert not [name for name in after if name.startswith(folder) and b"{{" in after[name]]
    assert catalog.load(checkout).services["plug-in-service"].stack.name == stack
    assert sync.stale(catalog.load(checkout)) == []


@pytest.mark.parametrize("name", ["queue", "type", "internal", "main"])
def test_a_name_is_free_where_no_program_of_the_stack_has_it(checkout: Path, name: str) -> None:
    assert verb.new(name, "go", dry_run=False) == 0


def test_a_second_service_has_ports_of_its_own(checkout: Path) -> None:
    verb.new("one", "python", dry_run=False)
    verb.new("two", "python", dry_run=False)
    loaded = catalog.load(checkout)
    ports = [(s.port, s.local_port) for s in loaded.services.values()]
    assert len(set(ports)) == len(ports) and len({p for p, _ in ports}) == len(ports)


@pytest.mark.parametrize("stage", ["locking", "interrupted", "terminated", "hung up", "deriving"])
def test_where_it_fails_nothing_is_left(checkout: Path, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    before = contents(checkout)

    def fails(*_: object) -> None:
        if stage == "interrupted":
            raise KeyboardInterrupt
        if number := {"terminated": signal.SIGTERM, "hung up": signal.SIGHUP}.get(stage):
            signal.raise_signal(number)
        raise Failure("locking one", "the registry does not answer", "Try again.")

    if stage == "deriving":
        real = sync.write
        calls: list[int] = []

        def fails_at_first(loaded: Catalog) -> object:
            written = real(loaded)
            calls.append(1)
            if len(calls) == 1:
                fails()
            return written

        monkeypatch.setattr(sync, "write", fails_at_first)
    else:
        monkeypatch.setattr(verb, "kind_of", lambda stack: replace(kind_of(stack), lock=fails))
    with pytest.raises((Failure, KeyboardInterrupt)):
        verb.new("one", "node", dry_run=False)
    assert contents(checkout) == before
    assert not (checkout / "k8s/base/one").exists()


def test_a_dry_run_writes_nothing(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(checkout)
    assert verb.new("one", "node", dry_run=True) == 0
    assert contents(checkout) == before
    assert "    port: 8083" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "stack", "cause"),
    [
        ("Agent", "python", "is no name of a service"),
        ("agent_service", "python", "is no name of a service"),
        ("-agent", "python", "is no name of a service"),
        ("a" * 41, "python", "is no name of a service"),
        ("../agent", "python", "is no name of a service"),
        ("agent-", "python", "is no name of a service"),
        ("agent--service", "python", "is no name of a service"),
        ("agent\n", "python", "is no name of a service"),
        ("", "python", "is no name of a service"),
        ("import", "python", "no name of a Python package"),
        ("tests", "python", "no name of a Python package"),
        ("queue", "python", "a module of Python's standard library"),
        ("uvicorn", "python", "a Python package that others install"),
        ("vitest", "node", "a package from the npm registry"),
        ("ingress", "go", "the folder k8s/base/ingress exists already"),
        ("web", "python", "has that name already"),
        ("postgres", "python", "has that name already"),
        ("db-migrate", "python", "has that name already"),
        ("agent", "cobol", "no template of the stack 'cobol'"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(name: str, stack: str, cause: str) -> None:
    with pytest.raises(UsageError, match=cause):
        verb.new(name, stack, dry_run=True)


@pytest.mark.parametrize(
    ("name", "near"),
    [("AgentService", "agent-service"), ("agent_x", "agent-x"), ("a" * 50, "a" * 40), ("1", "channel-service"), ("Größe", "gr-e")],
)
def test_a_wrong_name_comes_with_a_right_one(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        verb.new(name, "go", dry_run=True)
    assert caught.value.remedy == f"Choose another, such as {near}."


def test_two_at_once_come_one_after_the_other(checkout: Path) -> None:
    names = ("one", "two", "three")
    with ThreadPoolExecutor() as pool:
        assert list(pool.map(lambda name: in_a_process(checkout, name), names)) == [0, 0, 0]
    loaded = catalog.load(checkout)
    assert len({service.port for service in loaded.services.values()}) == len(loaded.services) and {*names} < {*loaded.services}
    assert sync.stale(loaded) == []


def in_a_process(checkout: Path, name: str) -> int:
    argv = (sys.executable, "-m", "invoke", "new", name, "--stack", "python")
    return subprocess.run(argv, cwd=checkout, capture_output=True, check=False, timeout=120).returncode


# Where a run is killed: the function whose call or end it does not survive.
KILLED = """
import os, signal
from dataclasses import replace
from pathlib import Path
from ops.verbs import new, sync

def die(*_): os.kill(os.getpid(), signal.SIGKILL)

real = Path.write_text
def half(self, text, *more, **options):
    real(self, text[: len(text) // 2] if STAGE == "in a file" else text, *more, **options)
    if self.is_relative_to(ROOT / "services") and STAGE in ("in a file", "in the folder"): die()
    if self.is_relative_to(ROOT / "k8s") and STAGE == "deriving": die()

ROOT = Path.cwd()
Path.write_text = half
new.kind_of = lambda stack, known=new.kind_of: replace(known(stack), lock=die)
if STAGE == "before the folder has its name": Path.rename = die
if STAGE == "before the entry": new.replaced = die
new.new("one", STACK, dry_run=False)
"""
STAGES = ("in a file", "in the folder", "before the folder has its name", "before the entry", "deriving", "locking")


def killed(checkout: Path, stage: str, stack: str = "python") -> None:
    """Run `invoke new one` in a process that is killed at a stage."""
    argv = (sys.executable, "-c", f"STAGE, STACK = {stage!r}, {stack!r}\n{KILLED}")
    assert subprocess.run(argv, cwd=checkout, capture_output=True, check=False, timeout=120).returncode == -signal.SIGKILL


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_killed_one_left_the_next_one_undoes(checkout: Path, stage: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(checkout)
    killed(checkout, stage)
    left = contents(checkout)
    assert left != before  # there is something to undo
    assert verb.new("two", "node", dry_run=True) == 0
    assert contents(checkout) == left
    assert "would first undo what an `invoke new one` left that was killed" in capsys.readouterr().out
    undone(checkout)
    assert "removed what an `invoke new one` left that was killed" in capsys.readouterr().out
    assert contents(checkout) == before
    assert {"one", ".one.new"} & {path.name for path in (checkout / "services").iterdir()} == set()
    assert verb.new("one", "python", dry_run=False) == 0
    assert "was killed" not in capsys.readouterr().out
    assert sync.stale(catalog.load(checkout)) == []


def test_what_somebody_wrote_into_what_a_killed_one_left_is_kept(checkout: Path) -> None:
    killed(checkout, "locking")
    work = checkout / "services/one/one/work.py"
    work.write_text("a day's work\n")
    platform = checkout / "platform.yaml"
    platform.write_text(f"{platform.read_text()}# another's\n")
    for _ in range(2):
        with pytest.raises(Refused, match=r"somebody wrote platform\.yaml, services/one/one/work\.py") as caught:
            verb.new("two", "python", dry_run=False)
    assert work.read_text() == "a day's work\n"
    Path(caught.value.remedy.rpartition("then remove ")[2].rstrip(".")).unlink()
    assert verb.new("two", "python", dry_run=False) == 0
    assert {"one", "two"} < {*catalog.load(checkout).services}


def undone(checkout: Path) -> None:
    """What the next `invoke new` does first."""
    verb._undo_killed(checkout)


OURS = "importers:\n\n  services/one:\n    dependencies:\n      a: 1\n\n"  # as pnpm writes a member of the workspace


def test_a_lock_file_with_nothing_of_the_service_in_it_is_left_alone(checkout: Path) -> None:
    killed(checkout, "locking", "node")
    lock = checkout / "pnpm-lock.yaml"
    lock.write_text(pulled := f"{lock.read_text()}# pulled\n")
    undone(checkout)
    assert lock.read_text() == pulled and not (checkout / "services/one").exists()


@pytest.mark.parametrize("more", ["", "# another's\n"])
def test_a_lock_file_that_names_the_service_is_as_before_and_what_changed_otherwise_is_kept(
    checkout: Path, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = checkout / "pnpm-lock.yaml"
    before = lock.read_text()
    killed(checkout, "locking", "node")
    lock.write_text(written := before.replace("importers:\n\n", OURS) + more)
    undone(checkout)
    kept = verb._place(checkout, "pnpm-lock.yaml")
    assert lock.read_text() == before
    assert kept.exists() == bool(more) and (not more or kept.read_text() == written)
    assert (str(kept) in capsys.readouterr().out.replace("\n", "")) == bool(more)


def test_a_checkout_that_has_gone_on_without_what_a_killed_one_left_stays_as_it_is(checkout: Path) -> None:
    before = contents(checkout)
    killed(checkout, "locking", "node")
    for name in contents(checkout).keys() - before.keys():
        (checkout / name).unlink()
    for name, content in before.items():
        (checkout / name).write_bytes(content)
    platform = checkout / "platform.yaml"
    platform.write_text(pulled := f"{platform.read_text()}# pulled\n")
    undone(checkout)
    assert platform.read_text() == pulled


def test_a_service_that_somebody_has_given_to_git_stays(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    killed(checkout, "locking")
    subprocess.run(("git", "add", "services/one"), cwd=checkout, check=True)
    left = contents(checkout)
    undone(checkout)
    assert contents(checkout) == left and not verb._place(checkout, "json").exists()
    assert "git tracks services/one" in capsys.readouterr().out


@pytest.mark.parametrize(("stack", "recorded"), [("python", 1), ("go", 1), ("node", 2), ("nextjs", 2)])
def test_only_a_stack_with_a_shared_lock_records_it(checkout: Path, stack: str, recorded: int) -> None:
    killed(checkout, "locking", stack)
    record = new_record.read(checkout, verb._place(checkout, "json"))
    assert record and len(record.before) == recorded


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "one"}'])
def test_a_record_that_cannot_be_read_is_no_reason_to_undo_anything(checkout: Path, text: str) -> None:
    verb._place(checkout, "json").write_text(text)
    before = contents(checkout)
    assert verb.new("one", "python", dry_run=True) == 0
    assert contents(checkout) == before


def test_a_folder_that_is_there_is_left_alone(checkout: Path) -> None:
    (checkout / "services" / "one").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        verb.new("one", "python", dry_run=False)
    assert list((checkout / "services" / "one").iterdir()) == []


def test_every_template_belongs_to_a_stack_that_can_lock_its_packages() -> None:
    for stack in scaffold.stacks(ROOT):
        assert kind_of(stack).lock is not None


@given(
    names=st.lists(st.sampled_from(["a", "b", "c"]), unique=True, min_size=1),
    comment=st.booleans(),
    flow=st.booleans(),
    behind=st.booleans(),
)
def test_an_entry_goes_behind_the_last_one_and_every_other_line_stays(names: list[str], comment: bool, flow: bool, behind: bool) -> None:
    entry = "{x: 1}" if flow else "\n    x: 1\n    y:\n      - {z: 2}"
    text = "top: 1\nservices:\n" + "".join(f"  {name}: {entry}\n" for name in names)
    text += "\n# about what follows\n" * comment + "next:\n  d: 1\n" * behind
    made = with_entry(text, "services", "  new:\n    x: 3\n")
    assert made.replace("  new:\n    x: 3\n", "") == text
    found = yaml.safe_load(made)
    assert list(found["services"]) == [*names, "new"]
    assert {key: value for key, value in found.items() if key != "services"} == {
        key: value for key, value in yaml.safe_load(text).items() if key != "services"
    }


@pytest.mark.parametrize("text", ["", "services: {}\n", "services: {a: {x: 1}}\n", "other:\n  a: 1\n"])
def test_a_section_that_is_no_block_is_named(text: str) -> None:
    with pytest.raises(UsageError, match="no block `services:`"):
        with_entry(text, "services", "  new: {}\n")


def test_replicas_are_for_the_environments_that_others_have_them_for() -> None:
    loaded = catalog.load()
    one = replace(loaded.services["web"], replicas={"staging": 3})
    words = verb._words(replace(loaded, services={"web": one}), "x", 1)
    assert words["replicas"] == "{staging: 1}"
