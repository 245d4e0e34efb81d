"""`plan`, `deploy`, `rollback`, `scale`: what changes an environment on Kubernetes."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ops.catalog import Catalog
from ops.cluster import show
from ops.cluster.plan import Plan, check_environment
from ops.cluster.planfile import from_document, to_document
from ops.cluster.prepare import plan_deploy
from ops.cluster.schema import judged
from ops.cluster.target import Target, target_of
from ops.console import confirm, counted, emit_json, machine_readable, say
from ops.errors import Exit, Refused, UsageError, cause_of
from ops.kube.client import Client
from ops.kube.connect import connect
from ops.kube.objects import Object
from ops.manifests.render import render
from ops.verbs.checkout import Checkout, begin_reading, check_unmoved, published
from ops.verbs.target import connected, resolved

if TYPE_CHECKING:
    from ops.cluster.release import ChangeResult
    from ops.kube.progress import Notice


def plan(env: str, *, testbed: bool, out: str, detailed_exitcode: bool) -> int:
    """Build what is missing, and show what a deploy would change. Nothing in the cluster is changed."""
    catalog, target = resolved(env, testbed)
    checkout = begin_reading(catalog, target)
    with connect(target) as client:
        decided = _judged(catalog, client, _planned(catalog, client, checkout))
        _show(decided, target)
    if out and decided.hidden:
        cause = f"it changes {', '.join(map(str, decided.hidden))}, and a plan file never holds the values of Secrets"
        raise Refused(f"writing the plan to {out}", cause, f"Run `invoke deploy --env {env}{' --testbed' * testbed}` without a plan file.")
    if out:
        Path(out).write_text(json.dumps(to_document(decided), indent=1), encoding="utf-8")
        say(f"Wrote {out}: `invoke deploy --env {env}{' --testbed' * testbed} --plan {out}` applies exactly this.")
    if machine_readable():
        emit_json({"plan": to_document(decided)})
    if decided.problems:
        return Exit.REFUSED
    return Exit.CHANGES if detailed_exitcode and not decided.empty else Exit.DONE


def deploy(env: str, *, testbed: bool, plan_file: str, yes: bool, dry_run: bool) -> int:
    """Show the plan, ask, apply exactly that, watch it, and check the platform afterwards."""
    catalog, target = resolved(env, testbed)
    given = _read(plan_file) if plan_file else None
    if given:
        check_environment(given, target.environment.name)
    checkout = None if given else begin_reading(catalog, target)
    with connect(target) as client:
        decided = _judged(catalog, client, _planned(catalog, client, checkout)) if checkout else given
        assert decided is not None
        _show(decided, target)
        return _carry_out(catalog, client, decided, yes=yes, dry_run=dry_run, checked=True)


def rollback(env: str, *, testbed: bool, to: int, yes: bool, dry_run: bool) -> int:
    """Go back to a record: its digests, its configuration, its objects."""
    from ops.cluster.rollback import plan_rollback

    if to < 0:
        raise UsageError("reading --to", f"{to} is not the number of a record", f"`invoke history --env {env}` lists the records.")
    with connected(env, testbed) as (catalog, client, target):
        decided = plan_rollback(catalog, client, to=to)
        _show(decided, target)
        return _carry_out(catalog, client, decided, yes=yes, dry_run=dry_run)


def scale(service: str, replicas: int, env: str, *, testbed: bool, yes: bool, dry_run: bool) -> int:
    """Move the bounds of a service's autoscaler, or its replicas where it has none."""
    from ops.cluster.scale import check_range, plan_scale

    check_range(service, replicas)
    with connected(env, testbed) as (catalog, client, target):
        decided = plan_scale(catalog, client, service, least=replicas)
        _show(decided, target)
        return _carry_out(catalog, client, decided, yes=yes, dry_run=dry_run)


def _planned(catalog: Catalog, client: Client, checkout: Checkout) -> Plan:
    digests, version = published(catalog, checkout)
    rendered = render(catalog, target_of(client).environment, digests, checkout.overlay.result() if checkout.overlay else None)
    if checkout.overlay is None:  # kustomize was built first, and has read the overlay only now
        check_unmoved(catalog, checkout.state.result())
    commit, migrations = checkout.state.result().commit, checkout.migrations.result()
    planned = partial(plan_deploy, catalog, client, rendered, migrations=migrations, commit=commit, version=version)
    decided = planned()
    if target_of(client).rehearsal and decided.problems:
        decided = planned(made_up=_made_up(catalog, target_of(client)))
    return decided


def _judged(catalog: Catalog, client: Client, decided: Plan) -> Plan:
    """The plan with the gates' findings about its new migrations."""
    refused, told = judged(catalog, decided.origin, target_of(client))
    return replace(decided, problems=(*decided.problems, *refused), warnings=(*decided.warnings, *told))


def _made_up(catalog: Catalog, target: Target) -> list[Object]:
    """Secrets for a rehearsal, where no real ones are in the cluster: generated once, and the same every time on this machine."""
    from ops.folders import cache
    from ops.manifests import rehearsal

    file = cache() / "rehearsal" / f"{target.environment.name}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    return rehearsal.secrets(catalog, file)


def _smoke(catalog: Catalog, client: Client) -> Callable[[], None] | None:
    """The checks after a deploy, loaded and ready to run; None where the catalogue names no file of checks."""
    if catalog.smoke is None:
        return None
    from ops.cluster.smoke import prepare

    return prepare(catalog, client, say)


def _read(file: str) -> Plan:
    try:
        document = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"reading the plan {file}", cause_of(error), "Make one: `invoke plan --env … --out FILE`.") from error
    if not isinstance(document, dict):
        raise UsageError(f"reading the plan {file}", "it is not a plan", "Make one: `invoke plan --env … --out FILE`.")
    return from_document(document)


def _show(decided: Plan, target: Target) -> None:
    for line in show.plan_lines(decided, str(target)):
        say(line)


def _carry_out(catalog: Catalog, client: Client, decided: Plan, *, yes: bool, dry_run: bool, checked: bool = False) -> int:
    """Ask, apply, and with `checked` run the checks afterwards. What prevents the plan or the checks is reported before the question."""
    environment = target_of(client).environment
    if decided.problems:
        raise Refused("checking the plan", "\n".join(decided.problems), "Correct every line above, then plan again.")
    if dry_run or decided.empty:
        _document(decided, None)
        return Exit.DONE
    from ops.cluster.release import execute

    verify = _smoke(catalog, client) if checked else None
    expect = environment.name if environment.protected and not target_of(client).rehearsal else ""
    confirm(f"Apply this to {target_of(client)}?", yes=yes, expect=expect)
    result = execute(catalog, client, decided, _tell, verify=verify)
    if result.resumed:
        say(result.resumed)
    say(f"Done: record {result.record}, {counted(result.changed, 'object')} changed.", style="bold green")
    _document(decided, result)
    return Exit.DONE


def _tell(notice: "Notice") -> None:
    say(show.notice_line(notice))


def _document(decided: Plan, result: "ChangeResult | None") -> None:
    if machine_readable():
        did = {"state": result.state, "record": result.record, "changed": result.changed} if result else {"state": "nothing"}
        emit_json({"record": 0, "changed": 0, **did, "plan": to_document(decided)})
