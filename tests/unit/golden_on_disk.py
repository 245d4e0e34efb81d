"""What verbs say that read a folder: the scenes of test_golden.py that need one."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ops.catalog import load
from ops.console import error, say
from ops.database import journal, verdicts
from ops.database.findings import Finding, Verdict
from ops.errors import Refused
from ops.local import state
from ops.local.process import Identity, identify
from ops.local.state import Entry, RunRecord
from ops.verbs import local, migrate
from ops.verbs import release as releasing
from tests.unit.release_clone import commit, git, release

CATALOG = load()
Scene = Callable[[Path, pytest.MonkeyPatch], None]


def release_of(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release's plan, the release that was interrupted after its push, and one that is refused."""
    monkeypatch.setattr(releasing, "load", lambda: replace(CATALOG, root=clone))
    release(clone)
    commit(clone, "b", "1", "feat(gateway)!: requests have 8 s\n\nBREAKING CHANGE: longer ones are a 504.")
    commit(clone, "b", "2", "fix(web): the page keeps its place")
    commit(clone, "b", "3", "words without a kind")
    git(clone, "push", "-q", "origin", "main")
    releasing.release("minor", testbed=False, yes=True, dry_run=True)
    say("")
    head = git(clone, "rev-parse", "HEAD")
    release(clone)
    git(clone, "reset", "-q", "--hard", head)
    releasing.release("minor", testbed=False, yes=True, dry_run=False)
    say("")
    (clone / "not-committed").touch()
    commit(clone, "b", "4", "feat: not pushed")
    try:
        releasing.release("minor", testbed=False, yes=True, dry_run=True)
    except Refused as refused:
        error(refused)


def migrate_check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three migrations: what one does is refused, what another does is allowed by a waiver, and warned of. Then those without a run."""
    monkeypatch.setenv("NEXTAI_CACHE", str(folder / "cache"))
    monkeypatch.setattr(verdicts, "_memory", {})
    monkeypatch.setattr(migrate, "load", lambda: replace(CATALOG, root=folder))
    texts = {
        "0000_first": "CREATE TABLE people (id int PRIMARY KEY, nick text);",
        "0001_nick": "ALTER TABLE people DROP COLUMN nick;",
        "0002_names": "-- nextai:contract drop-view: no version since 1.4 reads it\nDROP VIEW names;",
    }
    place = folder / CATALOG.database.migrations
    (place / "meta").mkdir(parents=True)
    entries = [{"idx": number, "tag": tag, "when": number + 1} for number, tag in enumerate(texts)]
    (place / "meta/_journal.json").write_text(json.dumps({"dialect": "postgresql", "entries": entries}))
    for tag, text in texts.items():
        (place / f"{tag}.sql").write_text(text)
    found = {
        "0001_nick": (Finding("0001_nick.sql", 1, "drop-column", "public.people.nick"),),
        "0002_names": (Finding("0002_names.sql", 2, "drop-view", "public.names", "no version since 1.4 reads it"),),
    }
    files = journal.read(place)
    for tried, why in (("18.1", ""), ("", "no PostgreSQL can be started here")):
        for migration, key in zip(files, verdicts.chain([], files, CATALOG.database.user), strict=True):
            verdicts.keep(key, Verdict(found.get(migration.tag, ()), tried, why))
        say(f"exit code {migrate.check():d}\n")


def status_local(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform that runs, one that has lost a service, one that is being started, one that has ended, and none."""
    monkeypatch.setenv("NEXTAI_STATE", str(folder / "state"))
    home = state.opened(state.of(CATALOG.root))
    alive, gone = identify(1), Identity(1, "another start")
    done = {"postgres": Entry(alive, 15, "ready", 15432), "db-migrate": Entry(gone, 15, "done")}
    home.log("user-service").parent.mkdir(parents=True, exist_ok=True)
    home.log("user-service").write_text('{"level":"info","message":"listening"}\n{"level":"fatal","message":"JWT_SECRET is too short"}\n')
    for supervisor, address, service in (
        (alive, "http://localhost:13000", Entry(alive, 15, "ready", 18082)),
        (alive, "http://localhost:13000", Entry(gone, 15, "ready", 18082)),
        (alive, "", Entry(alive, 15, "starting", 18082)),
        (gone, "http://localhost:13000", Entry(gone, 15, "ready", 18082)),
    ):
        state.write(home, RunRecord("embedded", supervisor, address, {**done, "user-service": service}))
        say(f"exit code {local.status(CATALOG):d}\n")
    home.record.unlink()
    say(f"exit code {local.status(CATALOG):d}")


SCENES: dict[str, Scene] = {"migrate-check": migrate_check, "status-local": status_local}


def steady(text: str) -> str:
    """Without what differs from run to run: names of commits, and today's date."""
    return re.sub(r"\b\d{4}-\d\d-\d\d\b", "2026-11-30", re.sub(r"\b[0-9a-f]{7}\b", "b106185", text))
