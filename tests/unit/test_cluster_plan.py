"""Plans: plain facts in, decisions out."""

import base64
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.catalog import load
from ops.catalog.names import MANAGER, OWNED
from ops.cluster import needs, record, show
from ops.cluster.applying import Conflict
from ops.cluster.dryrun import Contested, DryRun, has_field, take_back
from ops.cluster.facts import ClusterFacts
from ops.cluster.history import History
from ops.cluster.plan import Origin, Plan, Unfinished, make_plan
from ops.cluster.planfile import from_document, to_document
from ops.cluster.record import Header, Outcome, Record, RecordedMigration, together
from ops.cluster.rollback import goal_of
from ops.cluster.schema import unreadable_data, unsafe_behind
from ops.cluster.show import summary
from ops.cluster.step import moved
from ops.cluster.unwanted import Listed, Unwanted, left_by, older
from ops.errors import Refused, UsageError
from ops.kube.diff import differences, masked
from ops.kube.objects import Key, key_of
from ops.kube.order import Phase
from tests.unit.memory import Memory

ORIGIN = Origin("deploy", "staging", "2026-01-01T00:00:00Z", "c0ffee")
STORES = frozenset({"postgres:17"})
OURS: dict[str, Any] = {"manager": MANAGER, "operation": "Apply"}


def thing(kind: str, name: str, namespace: str = "n", version: str = "v1", **body: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **body}


def config(name: str, **data: str) -> dict[str, Any]:
    return thing("ConfigMap", name, data=data)


def workload(kind: str, name: str, image: str, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"containers": [{"name": name, "image": image, "readinessProbe": {"httpGet": {"port": 80}}}]}}
    return thing(kind, name, version="apps/v1" if kind != "Job" else "batch/v1", spec={"template": template, **spec})


def live(manifest: dict[str, Any], version: str = "5") -> dict[str, Any]:
    """As the API server keeps it."""
    metadata = {**manifest["metadata"], "resourceVersion": version, "uid": f"uid-{manifest['metadata']['name']}", "managedFields": [OURS]}
    return {**manifest, "metadata": metadata, "status": {"x": 1}}


def facts(*dry_runs: DryRun, others: tuple[dict[str, Any], ...] = (), history: History | None = None, **more: Any) -> ClusterFacts:
    return ClusterFacts(cluster="id", dry_runs=dry_runs, unwanted=tuple(map(Unwanted, others)), history=history or History(), **more)


def seen(manifest: dict[str, Any], there: dict[str, Any] | None = None, **more: Any) -> DryRun:
    return DryRun(manifest, live(there) if there else None, live(manifest, "6") if there else None, **more)


def good(number: int, *objects: dict[str, Any], **more: Any) -> Record:
    return Record(Header(number, "deploy", "staging", "me", "", "", outcome="good", **more), objects)


def actions(plan: Plan) -> dict[str, str]:
    return {step.key.name: step.action for step in plan.steps}


def test_objects_are_created_changed_and_left_alone() -> None:
    plan = make_plan(
        ORIGIN,
        facts(
            seen(config("new", a="1")), seen(config("same", a="1"), config("same", a="1")), seen(config("old", a="2"), config("old", a="1"))
        ),
        STORES,
    )
    assert actions(plan) == {"new": "create", "same": "unchanged", "old": "change"}
    changed = next(s for s in plan.changes if s.key.name == "old")
    assert [str(d) for d in changed.differences] == ["~ data.a: 1 → 2"]
    assert changed.resource_version == "5"


def test_status_managed_fields_and_versions_make_no_difference() -> None:
    wanted = config("c", a="1")
    there = live(wanted, "5")
    after = {**live(wanted, "9"), "status": {"x": 2}}
    assert make_plan(ORIGIN, facts(DryRun(wanted, there, after)), STORES).changes == ()


def test_the_order_is_namespaces_configuration_data_migration_workloads_routes_prune() -> None:
    wanted = [
        thing("HorizontalPodAutoscaler", "hpa", version="autoscaling/v2"),
        workload("Deployment", "web", "web@sha256:1"),
        workload("Job", "migrate", "migrate@sha256:1"),
        workload("StatefulSet", "postgres", "postgres:17"),
        thing("Service", "postgres-service"),
        config("c"),
        thing("Namespace", "n", ""),
    ]
    plan = make_plan(ORIGIN, facts(*map(seen, wanted), others=(live(workload("Deployment", "gone", "x")),)), STORES)
    assert [s.phase for s in plan.steps] == [
        Phase.NAMESPACES,
        Phase.CONFIGURATION,
        Phase.DATA,
        Phase.DATA,
        Phase.MIGRATION,
        Phase.WORKLOADS,
        Phase.ROUTES,
        Phase.PRUNE,
    ]


@pytest.mark.parametrize(
    ("there", "wanted", "refused"),
    [
        ("postgres:17-trixie", "postgres:18-trixie", True),
        ("postgres:17-trixie@sha256:1", "mirror:5000/postgres:19.1", True),
        ("postgres:18.1", "postgres:18.4-trixie", False),
        ("postgres:19", "postgres:18", False),  # only a way back: the server itself says whether the data is of 19 already
        ("postgres", "postgres:18", False),
        ("", "postgres:18", False),
    ],
)
def test_a_deploy_does_not_give_the_database_s_data_to_a_version_that_cannot_read_it(there: str, wanted: str, refused: bool) -> None:
    before = live(workload("StatefulSet", "postgres", there)) if there else None
    dry_runs = [DryRun(workload("StatefulSet", "postgres", wanted), before, None), seen(workload("StatefulSet", "redis", "redis:8"))]
    problems = unreadable_data(load(), dry_runs)
    assert bool(problems) is refused
    if refused:
        assert "its data is PostgreSQL 17's" in problems[0] and "delete this StatefulSet and its claim" in problems[0]


@pytest.mark.parametrize("kind", ["Namespace", "PersistentVolumeClaim", "Secret", "CustomResourceDefinition"])
def test_what_no_record_can_bring_back_is_never_deleted(kind: str) -> None:
    assert make_plan(ORIGIN, facts(others=(live(thing(kind, "x")),), history=History(last=good(1, thing(kind, "x")))), STORES).changes == ()


def test_a_generated_config_map_stays_while_pods_or_a_record_need_it() -> None:
    old, older, oldest = (config(f"web-config-{letter * 10}") for letter in "abc")
    reader = thing(
        "ReplicaSet",
        "rs",
        spec={"template": {"spec": {"containers": [{"envFrom": [{"configMapRef": {"name": older["metadata"]["name"]}}]}]}}},
    )
    history = (good(1, keeps=(f"n/{old['metadata']['name']}",)).header,)
    others = tuple(map(live, (old, older, oldest)))
    plan = make_plan(ORIGIN, facts(seen(config("new")), others=others, history=History(history), replica_sets=(reader,)), STORES)
    assert actions(plan) == {
        "new": "create",
        old["metadata"]["name"]: "unchanged",
        older["metadata"]["name"]: "unchanged",
        oldest["metadata"]["name"]: "delete",
    }
    assert {s.note for s in plan.steps} - {""} == {"kept: record 1 needs it", "kept: pods still read it", "no record needs it any more"}


def test_what_no_record_needs_goes_with_a_change_and_makes_none_by_itself() -> None:
    old = live(config("web-config-aaaaaaaaaa"))
    alone = make_plan(ORIGIN, facts(others=(old,)), STORES)
    assert alone.empty and alone.steps[0].note == "goes with the next change"
    assert actions(make_plan(ORIGIN, facts(seen(config("new")), others=(old,)), STORES))["web-config-aaaaaaaaaa"] == "delete"


def test_what_was_done_by_hand_and_stops_a_workload_is_told_and_forbids_its_change() -> None:
    wanted = workload("Deployment", "web", "web@sha256:1")
    paused, idle = live({**wanted, "spec": {**wanted["spec"], "paused": True}}), live({**wanted, "spec": {**wanted["spec"], "replicas": 0}})
    for there, words in ((paused, "it is paused"), (idle, "it is scaled to 0 by hand")):
        still = make_plan(ORIGIN, facts(DryRun(wanted, there, there)), STORES)
        assert still.empty and words in still.warnings[0] and still.problems == ()
        newer = workload("Deployment", "web", "web@sha256:2")
        after = {**there, "spec": {**there["spec"], "template": newer["spec"]["template"]}}
        assert words in make_plan(ORIGIN, facts(DryRun(newer, there, after)), STORES).problems[0]
    two = workload("Deployment", "web", "web@sha256:1", replicas=2)
    assert make_plan(ORIGIN, facts(DryRun(two, idle, live(two))), STORES).problems == ()  # the manifest's number comes back


def test_a_plan_that_changes_a_workload_whose_readiness_nobody_can_ask_warns() -> None:
    def web(image: str) -> dict[str, Any]:
        made = workload("Deployment", "web", image)
        del made["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
        return made

    words = "Deployment n/web: container web has no readinessProbe: 10 s of running count as ready, whether it works or not"
    changed = DryRun(web("b"), live(web("a")), live(web("b")))
    assert make_plan(ORIGIN, facts(changed), STORES).warnings == (words,)
    assert make_plan(ORIGIN, facts(DryRun(web("b"), None, None)), STORES).warnings == (words,)
    assert make_plan(ORIGIN, facts(DryRun(web("b"), live(web("b")), live(web("b")))), STORES).warnings == ()
    probed = workload("Deployment", "web", "b")
    assert make_plan(ORIGIN, facts(DryRun(probed, None, None)), STORES).warnings == ()


def test_a_variable_that_was_added_by_hand_and_stays_is_told() -> None:
    def web(*names: str, image: str = "web@sha256:1") -> dict[str, Any]:
        made = workload("Deployment", "web", image)
        made["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": name, "value": "x"} for name in names]
        return made

    there = live(web("OURS", "LOG_LEVEL"))
    for tried in (
        DryRun(web("OURS"), there, None),
        DryRun(web("OURS"), there, there),
        DryRun(web("OURS", image="b"), there, live(web("OURS", "LOG_LEVEL", image="b"))),
    ):
        plan = make_plan(ORIGIN, facts(tried), STORES)
        assert plan.problems == ()
        assert plan.warnings == (
            "Deployment n/web: LOG_LEVEL was set by hand, and overrides the configuration; "
            "`kubectl --namespace=n set env deployment/web LOG_LEVEL-` ends that",
        )
    removed = make_plan(ORIGIN, facts(DryRun(web("OURS"), there, live(web("OURS")))), STORES)  # it was ours, and goes
    assert removed.warnings == () and not removed.empty


def test_a_release_that_changes_nothing_gets_a_record_of_its_version_once() -> None:
    there = facts(seen(config("c"), config("c")), history=History(last=good(1, config("c"), version="v1.0.0")))
    assert make_plan(replace(ORIGIN, version="v1.0.0"), there, STORES).empty
    assert make_plan(ORIGIN, there, STORES).empty  # a deploy of what is no release
    named = make_plan(replace(ORIGIN, version="v1.1.0"), there, STORES)
    assert not named.empty and named.changes == ()
    assert summary(named) == "Nothing to change: 1 object is as it should be. A new record will name version v1.1.0."
    assert from_document(json.loads(json.dumps(to_document(named)))).names


def test_an_object_that_is_being_deleted_is_waited_for() -> None:
    leaving = live(config("c"))
    leaving["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}
    problems = make_plan(ORIGIN, facts(DryRun(config("c"), leaving, leaving)), STORES).problems
    assert problems == ("ConfigMap n/c: it is being deleted (finalizers: a/b): plan again when it is gone",)


def test_a_plan_that_somebody_edited_is_refused() -> None:
    document = json.loads(json.dumps(to_document(make_plan(ORIGIN, facts(seen(config("c", a="1"), config("c", a="2"))), STORES))))
    assert from_document(document).changes
    document["steps"][0]["manifest"]["data"]["a"] = "3"
    with pytest.raises(UsageError, match="it was edited since it was made"):
        from_document(document)


def test_a_generated_config_map_goes_when_its_record_is_older_than_the_ten_that_are_kept() -> None:
    old = config("web-config-aaaaaaaaaa")
    history = tuple(good(n, keeps=("n/web-config-aaaaaaaaaa",) if n == 1 else ()).header for n in range(1, 11))
    for headers, action in ((history, "delete"), (history[:9], "unchanged")):
        plan = make_plan(ORIGIN, facts(seen(config("new")), others=(live(old),), history=History(headers)), STORES)
        assert actions(plan)["web-config-aaaaaaaaaa"] == action


def test_a_job_runs_once_and_again_only_when_it_failed() -> None:
    job = workload("Job", "migrate-1", "m")
    failed = {**live(job), "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    assert actions(make_plan(ORIGIN, facts(seen(job)), STORES)) == {"migrate-1": "create"}
    assert actions(make_plan(ORIGIN, facts(DryRun(job, live(job), live(job))), STORES)) == {"migrate-1": "unchanged"}
    assert actions(make_plan(ORIGIN, facts(DryRun(job, failed, failed)), STORES)) == {"migrate-1": "replace"}
    assert actions(make_plan(ORIGIN, facts(seen(job), history=History(last=good(1, job))), STORES)) == {"migrate-1": "unchanged"}


def test_a_job_that_still_runs_is_something_to_wait_for() -> None:
    job = workload("Job", "migrate-1", "m")
    done = {**live(job), "status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    assert make_plan(ORIGIN, facts(DryRun(job, done, done)), STORES).empty
    plan = make_plan(ORIGIN, facts(DryRun(job, live(job), live(job))), STORES)
    assert not plan.empty and plan.changes == () and plan.steps[0].doing == "running"
    assert from_document(json.loads(json.dumps(to_document(plan)))) == plan


def test_a_rollback_runs_and_removes_no_job() -> None:
    job = workload("Job", "migrate-1", "m")
    other = live(workload("Job", "migrate-2", "m"))
    plan = make_plan(replace(ORIGIN, kind="rollback"), facts(seen(job), others=(other,), history=History(last=good(1, other))), STORES)
    assert plan.changes == ()


def test_every_problem_is_named_at_once() -> None:
    found = facts(
        replace(seen(config("bad")), refusal="spec.x: not a field"),
        unknown=(Key("Middleware", "n", "m", "traefik.io"),),
        missing=("Secret n/s is missing: Deployment n/web cannot start",),
    )
    assert len(make_plan(ORIGIN, found, STORES).problems) == 3
    rehearsal = make_plan(ORIGIN, found, STORES, rehearsal=True)
    assert len(rehearsal.problems) == 2
    assert rehearsal.left_out == (Key("Middleware", "n", "m", "traefik.io"),)


def test_fields_that_are_taken_back_are_noted_and_forced() -> None:
    tried = replace(seen(config("c", a="1"), config("c", a="2")), conflicts=(Conflict(".data.a", "kubectl-edit"),))
    step = make_plan(ORIGIN, facts(tried), STORES).changes[0]
    assert step.force
    assert step.note == "takes .data.a back from kubectl-edit"


def test_an_unfinished_record_makes_a_plan_without_changes_one_that_has_something_to_do() -> None:
    wanted = config("c", a="1")
    same = make_plan(ORIGIN, facts(seen(wanted, wanted)), STORES)
    assert same.empty
    cut = Header(3, "deploy", "staging", "ada@host/1", "", "", outcome="running", wanted=same.wanted)
    plan = make_plan(ORIGIN, facts(seen(wanted, wanted), history=History((cut,), trail=(Record(cut, (wanted,)),))), STORES)
    assert not plan.empty
    assert (plan.unfinished, plan.base) == (Unfinished(3, "ada@host/1", held=False, same=True), 3)
    secret = thing("Secret", "s", stringData={"PASSWORD": "x"})  # it is there already, so the next plan does not make it
    assert make_plan(ORIGIN, facts(seen(wanted, wanted), seen(secret)), STORES).wanted == same.wanted
    other = replace(cut, wanted="another")
    again = make_plan(ORIGIN, facts(seen(wanted, wanted), history=History((other,), trail=(Record(other, (wanted,)),))), STORES)
    assert again.unfinished and not again.unfinished.same


def test_a_plan_survives_being_written_down() -> None:
    last = good(1, config("gone"))
    found = facts(
        seen(config("new", a="1")),
        seen(config("old", a="2"), config("old", a="1")),
        others=(live(config("gone")),),
        history=History((last.header,), last),
    )
    origin = replace(
        ORIGIN,
        digests={"web": "sha256:1"},
        migrations=(RecordedMigration("0000_a", "h", ("drops a table",)),),
        earlier=(RecordedMigration("0000_b", "i"),),
    )
    plan = make_plan(origin, found, STORES)
    assert from_document(json.loads(json.dumps(to_document(plan)))) == plan


def test_a_record_with_the_former_names_of_two_fields_is_read() -> None:
    class Secrets:
        def request(self, *_: object) -> object:
            body = {"objects": [], "met": [{"tag": "0000_a", "hash": "h", "contracts": ["drops a table"]}]}
            return {"data": {"part": base64.b64encode(gzip.compress(json.dumps(body).encode())).decode()}}

    written = record._metadata(replace(good(1).header, mutated=("apps/Deployment/n/web spec.replicas",)))
    annotations: Any = written["annotations"]
    former = {name: value.replace('"mutated"', '"stirred"') for name, value in annotations.items()}
    assert former != annotations
    header = record._header({"metadata": {**written, "annotations": former}})
    assert header.mutated == ("apps/Deployment/n/web spec.replicas",)
    found = record.load(Secrets(), "n", header)  # type: ignore[arg-type]
    assert found.earlier == (RecordedMigration("0000_a", "h", ("drops a table",)),)


def test_no_secret_reaches_a_plan_file_a_diff_or_a_record() -> None:
    old = thing("Secret", "s", data={"PASSWORD": "b2xkLXNlY3JldA==", "USER": "dXNlcg=="})
    new = thing("Secret", "s", data={"PASSWORD": "bmV3LXNlY3JldA==", "USER": "dXNlcg=="}, stringData={"TOKEN": "plain"})
    plan = make_plan(ORIGIN, facts(seen(new, old)), STORES)
    words = json.dumps(to_document(plan)) + "".join(map(str, plan.steps[0].differences)) + json.dumps(record.without_secrets(new))
    for value in ("b2xkLXNlY3JldA==", "bmV3LXNlY3JldA==", "dXNlcg==", "plain"):
        assert value not in words
    assert [str(d) for d in plan.steps[0].differences] == ["~ data.PASSWORD: *** → *** (changed)", "+ data.TOKEN: ***"]
    with pytest.raises(UsageError, match="values are not in the file"):
        from_document(json.loads(json.dumps(to_document(plan))))


def test_what_moved_since_the_plan_is_shown_and_status_or_an_autoscaler_is_no_move() -> None:
    wanted = workload("Deployment", "web", "web@sha256:1")
    step = make_plan(ORIGIN, facts(seen(wanted, wanted)), STORES).steps[0]
    assert moved(step, live(wanted, "5")) == ()
    assert moved(step, {**live(wanted, "7"), "status": {"readyReplicas": 3}}) == ()
    assert moved(step, live(workload("Deployment", "web", "web@sha256:1", replicas=4), "7")) == ()
    shown = moved(step, live(workload("Deployment", "web", "web@sha256:2"), "7"))
    assert [str(d) for d in shown] == ["~ spec.template.spec.containers[web].image: web@sha256:1 → web@sha256:2"]


def test_retention_never_drops_the_last_good_record_and_the_one_before_it() -> None:
    headers = [good(1).header, good(2).header, *(replace(good(n).header, outcome="failed") for n in range(3, 20))]
    gone = {h.number for h in record.expired(headers)}
    assert gone == set(range(3, 10))


def test_retention_keeps_what_a_rollback_goes_to_however_often_deploys_failed() -> None:
    headers = [good(1).header, good(2).header]
    for number in range(3, 41, 2):
        headers += [replace(good(number).header, outcome="failed"), replace(good(number + 1).header, kind="rollback", target=number - 1)]
        forgotten = record.expired(headers)
        headers = [h for h in headers if h not in forgotten]
        assert goal_of(headers, 0).number == 1
    assert len(headers) == record.KEEP + 1


def went(number: int, target: int = 0, outcome: Outcome = "good") -> Header:
    return replace(good(number).header, outcome=outcome, target=target)


def test_retention_keeps_what_a_rollback_goes_to_when_the_last_good_record_could_not_be_reached() -> None:
    headers = [went(1), went(2), went(3), *(went(number, 3 * (number % 2), "failed") for number in range(4, 30))]
    assert {1, 2, 3} == {h.number for h in headers if h.outcome == "good"} - {h.number for h in record.expired(headers)}


@pytest.mark.parametrize(
    ("headers", "goal"),
    [
        ((went(1), went(2)), 1),
        ((went(1), went(2), went(3, outcome="failed")), 2),  # nothing brought it back
        ((went(1), went(2), went(3, outcome="running")), 2),
        ((went(1), went(2), went(3, outcome="failed"), went(4, 2)), 1),
        ((went(1), went(2), went(3, outcome="failed"), went(4, 2), went(5, outcome="failed"), went(6, 4)), 1),
        ((went(1), went(2), went(3), went(4, 2)), 1),
        ((went(1), went(2), went(3, 1), went(4)), 3),
        ((went(1), went(2), went(3, 1), went(4, outcome="failed"), went(5, 3)), None),  # not forward to 2
        ((went(1), went(2), went(3, outcome="failed"), went(4, 2, "failed")), 1),  # 2 was called good, and is not
        ((went(1), went(2), went(3), went(4, 2, "failed"), went(5, 3)), 1),
        ((went(1), went(2), went(3, outcome="failed"), went(4, 2, "failed"), went(5, 1)), None),
        ((went(1), went(2), went(3, outcome="failed"), went(4, 2, "failed"), went(5, 2)), 1),  # it is good after all
        ((went(1), went(2), went(3, outcome="failed"), went(4, 2, "abandoned")), 2),  # nobody knows
        ((went(1), went(2, 1), went(3, outcome="failed"), went(4, 2, "failed")), None),  # the same by another number
        ((went(1), went(2), went(3, 1), went(4, outcome="failed"), went(5, 3, "failed")), None),  # and not forward to 2
        ((went(1),), None),
        ((went(1, outcome="failed"),), None),
        ((), None),
    ],
)
def test_a_rollback_goes_to_what_ran_before_what_runs_now(headers: tuple[Header, ...], goal: int | None) -> None:
    if goal is None:
        with pytest.raises(Refused, match="no earlier good record"):
            goal_of(headers, 0)
    else:
        assert goal_of(headers, 0).number == goal


def test_what_a_plan_goes_to_is_shown_before_it_is_asked_about() -> None:
    origin = replace(ORIGIN, kind="rollback", target=4, commit="c0ffee1234+", version="1.2.3")
    first, *_ = show.plan_lines(make_plan(origin, facts(), STORES), "staging")
    assert first == "rollback to staging, record 4, commit c0ffee1+, version 1.2.3"
    first, *_ = show.plan_lines(make_plan(replace(origin, kind="deploy", target=0, version=""), facts(), STORES), "staging")
    assert first == "deploy to staging, commit c0ffee1+"


def test_what_a_record_holds_is_not_held_against_the_catalogue_of_today() -> None:
    found = facts(seen(config("c")), unset=("Deployment n/web: container web does not get FOO (new)",))
    assert make_plan(ORIGIN, found, STORES).problems == found.unset
    assert make_plan(replace(ORIGIN, kind="rollback"), found, STORES).problems == ()
    assert make_plan(replace(ORIGIN, kind="scale"), found, STORES).problems == ()


def test_what_a_failed_deploy_only_took_over_is_not_deleted_on_the_way_back() -> None:
    def issuer(made: str) -> dict[str, Any]:
        found = live(thing("ClusterIssuer", "acme", "", "cert-manager.io/v1"))
        return {**found, "metadata": {**found["metadata"], "creationTimestamp": made}}

    there, made = issuer("2026-01-01T00:00:00Z"), issuer("2026-02-01T00:00:03Z")
    failed = replace(good(2, there), header=replace(good(2).header, outcome="failed", started="2026-02-01T00:00:00Z"))
    again = replace(failed, header=replace(failed.header, number=3, started="2026-02-02T00:00:00Z"))
    assert older(there, good(1), [failed, again])
    assert not older(made, good(1), [failed, again])  # the first of them made it
    assert not older(there, good(1, there), [failed])  # it has been ours since
    assert not older(there, None, [])


def test_what_has_lost_our_label_is_not_ours_to_delete() -> None:
    ours = thing("Ingress", "web", version="networking.k8s.io/v1")
    labelled = {**ours, "metadata": {**ours["metadata"], "labels": {OWNED: "staging"}}}
    for found, expected in ((ours, []), (labelled, ["web"])):
        left = left_by(Memory(found), Listed({}), set(), History(last=good(1, ours)))
        assert [key_of(one).name for one in left] == expected


def test_a_plan_that_is_refused_does_not_say_that_all_is_well() -> None:
    wanted = config("c", a="1")
    refused = make_plan(ORIGIN, facts(replace(seen(wanted, wanted), after=None, refusal="another manager owns .data.a")), STORES)
    assert "refused" in summary(refused) and "as they should be" not in summary(refused)


def test_a_field_is_ours_totake_back_when_any_record_since_the_last_good_one_had_it() -> None:
    wanted, conflicts = config("c", a="1"), (Conflict(".data.a", "other"),)
    contest = Contested(wanted, live(wanted), conflicts)
    records = {key_of(wanted): [config("c", a="0"), config("c")]}  # the last good one had it, the failed one after it had not
    taken = take_back(Memory(), contest, records)
    assert taken == DryRun(wanted, contest.live, wanted, conflicts)
    assert "another manager owns .data.a" in take_back(Memory(), contest, {key_of(wanted): [config("c")]}).refusal


def test_no_rollback_crosses_a_migration_that_takes_something_away() -> None:
    first, second, third = (
        RecordedMigration("0000_a", "1"),
        RecordedMigration("0001_b", "2"),
        RecordedMigration("0002_c", "3", ("drops a column",)),
    )
    assert unsafe_behind((first, second), (first,)) == []
    assert unsafe_behind((first, second, third), (first,)) == ["0002_c drops a column"]
    assert unsafe_behind((first, second, third), (first, second, third)) == []
    met = together((first, third), (first, second))  # an older branch was deployed after the migration
    assert unsafe_behind(met, (first,)) == ["0002_c drops a column"]


FIELDS: dict[str, bool] = {
    ".data.a": True,
    ".data.b": False,
    ".metadata.labels.app.kubernetes.io/name": True,
    '.spec.containers[name="web"].image': True,
    '.spec.containers[name="other"].image': False,
    '.spec.containers[name="web"].ports[containerPort=8080,protocol="TCP"].containerPort': True,
    ".spec": True,
}


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_path_of_the_api_server_is_found_in_a_manifest(path: str) -> None:
    ports = [{"containerPort": 8080, "protocol": "TCP"}]
    manifest: Any = {
        "metadata": {"labels": {"app.kubernetes.io/name": "x"}},
        "data": {"a": "1"},
        "spec": {"containers": [{"name": "web", "image": "i", "ports": ports}]},
    }
    assert has_field(manifest, path) is FIELDS[path]


def reader(**container: Any) -> dict[str, Any]:
    return thing("Deployment", "web", version="apps/v1", spec={"template": {"spec": {"containers": [{"name": "web", **container}]}}})


def test_every_missing_secret_and_key_is_named_with_who_needs_it() -> None:
    wanted = [
        reader(envFrom=[{"secretRef": {"name": "a"}}], env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "b", "key": "K"}}}]),
        reader(envFrom=[{"secretRef": {"name": "optional", "optional": True}}]),
    ]
    found = {("n", "b"): needs.SecretFound(frozenset({"OTHER"}), "h")}
    assert needs.missing_secrets(wanted, found) == [
        "Secret n/a is missing: Deployment n/web cannot start",
        "Secret n/b has no key K: Deployment n/web cannot start",
    ]


def test_a_login_at_the_registry_is_not_insisted_on_since_the_nodes_may_have_their_own() -> None:
    login: dict[str, Any] = {"imagePullSecrets": [{"name": "registry"}]}
    template = {"spec": {"containers": [{"name": "web"}], **login}}
    wanted = [thing("ServiceAccount", "web", **login), thing("Deployment", "web", version="apps/v1", spec={"template": template})]
    assert needs.missing_secrets(wanted, {}) == []


def test_a_changed_secret_changes_the_pod_template_and_only_of_its_readers() -> None:
    def stamped(secret: dict[str, Any]) -> dict[str, Any]:
        manifest = reader(envFrom=[{"secretRef": {"name": "a"}}])
        needs.stamp(manifest, {("n", "a"): needs.SecretFound(frozenset(), needs.digest(secret, "cluster"))})
        return manifest

    one, two = thing("Secret", "a", data={"K": "MQ=="}), thing("Secret", "a", data={"K": "Mg=="})
    assert stamped(one) == stamped(one)
    assert stamped(one) != stamped(two)
    assert needs.digest(one, "cluster") != needs.digest(one, "another cluster")
    job = {**reader(envFrom=[{"secretRef": {"name": "a"}}]), "kind": "Job"}
    before = json.dumps(job)
    needs.stamp(job, {("n", "a"): needs.SecretFound(frozenset(), "h")})
    assert json.dumps(job) == before


JSON = st.recursive(
    st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "a", "b.c", "d"]), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from("abc"), JSON), st.dictionaries(st.sampled_from("abc"), JSON))
def test_no_difference_is_missed(before: Any, after: Any) -> None:
    assert differences(before, before) == ()
    if not differences(before, after):
        assert json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)


def test_the_order_of_named_things_is_a_difference() -> None:
    def web(*env: str, init: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
        spec = {
            "containers": [{"name": "web", "env": [{"name": n, "value": n} for n in env]}],
            "initContainers": [{"name": n} for n in init],
        }
        return thing("Deployment", "web", version="apps/v1", spec={"template": {"spec": spec}})

    def shown(after: dict[str, Any]) -> list[str]:
        return [str(d) for d in make_plan(ORIGIN, facts(DryRun(after, live(web("X", "Y")), live(after))), STORES).steps[0].differences]

    assert shown(web("Y", "X")) == ["~ spec.template.spec.containers[web].env (order): X, Y → Y, X"]
    assert shown(web("X", "Y", init=("b", "a"))) == ["~ spec.template.spec.initContainers (order): a, b → b, a"]
    assert shown(web("Z", "X", "Y")) == ['+ spec.template.spec.containers[web].env[Z]: {"name": "Z", "value": "Z"}']
    assert [str(d) for d in differences({"a": 1}, {"a": True})] == ["~ a: 1 → true"]


def test_masking_keeps_what_differs_visible_and_hides_what_it_is() -> None:
    one, two = thing("Secret", "s", data={"a": "x"}), thing("Secret", "s", data={"a": "y"})
    assert len(differences(*masked(one, two))) == 1
    assert differences(*masked(one, one)) == ()
    assert key_of(one) == Key("Secret", "n", "s")
