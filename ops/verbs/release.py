"""`invoke release`: the story of a release."""

from ops.catalog import Catalog, load
from ops.console import confirm, emit_json, machine_readable, say
from ops.release.apply import Released, check_unchanged, finish, publish, unfinished
from ops.release.changelog import section
from ops.release.facts import ReleaseFacts, observe
from ops.release.plan import ReleasePlan, plan


def release(bump: str, *, testbed: bool, yes: bool, dry_run: bool) -> int:
    """Release the head of main: check everything, show the plan, ask, build, and publish with one push.

    With `testbed` the images go to the testbed's registry, and a push to another machine is refused.
    """
    from ops.release.version import check_bump
    from ops.verbs import build as images

    check_bump(bump)
    catalog = load()
    facts = observe(catalog.root)
    tag = unfinished(facts)
    if tag:
        return _finish(catalog, facts, tag, dry_run=dry_run)
    decided = plan(facts, bump, rehearsal=testbed)
    changes = section(catalog.root, decided.previous, decided.tag)
    _show(decided, changes)
    if dry_run:
        _document(decided, changes, None)
        return 0
    confirm(f"Release {decided.tag}?", yes=yes)
    builds = images.planned(catalog, list(catalog.images), testbed=testbed)
    check_unchanged(catalog.root, decided)  # after the files were read, since a build takes only those; the question may have stood long
    digests = images.publish(*builds)
    done = publish(catalog.root, catalog.platform, decided, changes, {catalog.repository(n): d for n, d in digests.items()})
    say(f"Released {done.tag}: {decided.remote}/{decided.branch} is at {done.commit[:7]}.", style="bold green")
    _document(decided, changes, done)
    return 0


def _finish(catalog: Catalog, facts: ReleaseFacts, tag: str, *, dry_run: bool) -> int:
    say(f"This commit was released as {tag} already. To be done here: fetch the tag, and move {facts.release_branch} to it.")
    if not dry_run:
        finish(catalog.root, tag, facts.release_branch, facts.remote)
        say(f"Released {tag}.", style="bold green")
    if machine_readable():
        emit_json({"tag": tag, "finished": not dry_run})
    return 0


def _show(decided: ReleasePlan, changes: str) -> None:
    say(f"{decided.tag} (after {decided.previous or 'nothing'}) from {decided.head[:7]}:\n\n{changes}")
    say(f"One atomic push to {decided.remote}: {decided.branch} with the changelog, and the annotated tag {decided.tag}.")


def _document(decided: ReleasePlan, changes: str, done: Released | None) -> None:
    if machine_readable():
        pushed = {"commit": done.commit, "tagObject": done.tag_object} if done else None
        emit_json({"tag": decided.tag, "previous": decided.previous, "head": decided.head, "changelog": changes, "pushed": pushed})
