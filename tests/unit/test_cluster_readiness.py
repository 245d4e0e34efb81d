"""Readiness: a function a kind, fed with objects as an API server of version 1.36 writes them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ops.kube.readiness import Done, Failed, LogOf, State, Stuck, Surroundings, Waiting, judge
from tests.unit.around import NOW, ago, container, pod, scene


def event(about: dict[str, Any], reason: str, message: str, seconds: float = 1) -> dict[str, Any]:
    return {"involvedObject": {"uid": about["metadata"]["uid"]}, "reason": reason, "message": message, "lastTimestamp": ago(seconds)}


def deployment(**status: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "n", "uid": "d", "generation": 2, "annotations": {"deployment.kubernetes.io/revision": "2"}}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"replicas": 2}, "status": {"observedGeneration": 2, **status}}


def replica_set(revision: str = "2", uid: str = "rs") -> dict[str, Any]:
    annotations = {"deployment.kubernetes.io/revision": revision}
    return {"kind": "ReplicaSet", "metadata": {"uid": uid, "ownerReferences": [{"uid": "d"}], "annotations": annotations}}


def of_deployment(
    *pods: dict[str, Any], events: Sequence[Any] = (), claims: Sequence[Any] = (), begun: float = 3600.0, **status: Any
) -> State:
    around = scene(pods, begun=begun, replica_sets=[replica_set(), replica_set("1", "old")], events=events, claims=claims)
    return judge(deployment(replicas=2, updatedReplicas=1, availableReplicas=0, **status), around)


def test_a_deployment_is_done_when_every_replica_is_new_and_available() -> None:
    assert judge(deployment(replicas=2, updatedReplicas=2, availableReplicas=2), scene()) == Done()
    new = [pod(f"web-{n}", status={"conditions": [{"type": "Ready", "status": "True"}]}) for n in (1, 2)]
    around = scene(new, replica_sets=[replica_set()])
    assert judge(deployment(replicas=3, updatedReplicas=2, availableReplicas=2), around) == Waiting("1 former pods to end")
    stale = {**deployment(replicas=2, updatedReplicas=2, availableReplicas=2), "metadata": {**deployment()["metadata"], "generation": 3}}
    assert judge(stale, scene()) == Waiting("the controller to see it")


def test_a_deployment_that_is_scaled_to_nothing_is_done() -> None:
    assert judge({**deployment(), "spec": {"replicas": 0}}, scene()) == Done()


def of_autoscaler(least: int, replicas: int, *pods: dict[str, Any], able: str = "", **status: Any) -> State:
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    conditions = [{"type": "AbleToScale", "status": "False", "message": able}] if able else []
    autoscaler: Any = {
        "kind": "HorizontalPodAutoscaler",
        "spec": {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": 3},
        "status": {"conditions": conditions},
    }
    web = {**deployment(updatedReplicas=replicas, **{"replicas": replicas, **status}), "spec": {"replicas": replicas}}
    return judge(autoscaler, scene(pods, replica_sets=[replica_set()], workloads=[web]))


def test_an_autoscaler_is_done_when_its_least_is_available() -> None:
    assert of_autoscaler(2, 2, availableReplicas=2) == Done()
    assert of_autoscaler(2, 3, availableReplicas=2) == Done()  # it adds one for the load
    assert of_autoscaler(2, 0) == Done()
    assert of_autoscaler(2, 1, availableReplicas=1) == Waiting("Deployment web to go from 1 to 2")
    assert of_autoscaler(1, 5, availableReplicas=5) == Waiting("Deployment web to go from 5 to 3")
    assert of_autoscaler(2, 1, able="no matches") == Waiting("Deployment web to go from 1 to 2 (no matches)")
    assert of_autoscaler(2, 2, availableReplicas=1) == Waiting("0 of 2 ready")
    state = of_autoscaler(2, 2, pod(status=container(state={"waiting": {"reason": "ErrImagePull", "message": PULL}})))
    assert isinstance(state, Failed) and "cannot be pulled" in state.cause


def test_an_autoscaler_of_nothing_is_a_failure_and_one_of_a_strange_kind_is_left_alone() -> None:
    scaler: Any = {"kind": "HorizontalPodAutoscaler", "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "gone"}}}
    assert judge(scaler, scene()) == Failed("it scales Deployment gone, which is not there", kind="target")
    scaler["spec"]["scaleTargetRef"]["kind"] = "Rollout"
    assert judge(scaler, scene()) == Done()


def test_a_quota_is_done_when_it_bounds_something() -> None:
    hard: dict[str, Any] = {"pods": "1"}
    assert judge({"kind": "ResourceQuota", "spec": {"hard": hard}}, scene()) == Waiting("what is there to be counted")
    assert judge({"kind": "ResourceQuota", "spec": {"hard": hard}, "status": {"hard": {"pods": "2"}}}, scene()) != Done()
    assert judge({"kind": "ResourceQuota", "spec": {"hard": hard}, "status": {"hard": hard}}, scene()) == Done()


PULL = 'rpc error: code = NotFound desc = failed to pull and unpack image "r/web@sha256:1": failed to resolve: r/web@sha256:1: not found'


def test_an_image_that_is_not_there_is_a_failure_at_once_and_a_registry_that_is_silent_is_not() -> None:
    gone = of_deployment(pod(status=container(state={"waiting": {"reason": "ErrImagePull", "message": PULL}})))
    assert gone == Failed("image r/web@sha256:1 cannot be pulled: r/web@sha256:1: not found", kind="image")
    silent = {"waiting": {"reason": "ImagePullBackOff", "message": "dial tcp 10.0.0.1:5000: connect: connection refused"}}
    placed = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(300)}]  # it has pulled for minutes before
    waiting = pod(status=container(state=silent) | {"conditions": placed})
    for seconds, expected in ((10, Waiting), (90, Failed)):
        said = {**event(waiting, "Failed", "Failed to pull image", seconds=1), "firstTimestamp": ago(seconds)}
        assert isinstance(of_deployment(waiting, events=[said]), expected), f"after {seconds} s"


def test_a_container_that_ended_twice_has_failed_with_its_exit_code_and_its_log() -> None:
    crashed = {"waiting": {"reason": "CrashLoopBackOff"}}
    last = {"terminated": {"exitCode": 3, "reason": "Error"}}
    state = of_deployment(pod(status=container(restartCount=1, state=crashed, lastState=last)))
    assert isinstance(state, Failed)
    assert state.cause == "container web ended 2 times, exit code 3"
    assert state.log is not None
    assert (state.log.pod, state.log.container, state.log.previous) == ("web-1", "web", True)
    once = of_deployment(pod(status=container(restartCount=0, state={"terminated": {"exitCode": 3}})))
    assert isinstance(once, Waiting)


def unprobed(seconds: float, *, restarts: int = 0, died: float = 0, **state: Any) -> dict[str, Any]:
    """A pod that Kubernetes calls ready since its container runs: for `seconds`, after it ended `restarts` times, `died` s ago."""
    last = {"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": ago(died)}} if restarts else {}
    running = {"running": {"startedAt": ago(seconds)}}
    status = container(ready=True, restartCount=restarts, state=state or running, lastState=last)
    found = pod(status={**status, "conditions": [{"type": "Ready", "status": "True"}]}, creationTimestamp=ago(3600))
    found["spec"] = {"containers": [{"name": "web"}], "restartPolicy": "Always"}
    return found


def every_kind(found: dict[str, Any]) -> list[State]:
    """What each kind says whose one replica is ready and this pod."""
    spec: Any = {"replicas": 1, "template": {"spec": found["spec"]}}
    labelled = {**found, "metadata": {**found["metadata"], "labels": {"controller-revision-hash": "b"}}}
    around = scene([labelled], replica_sets=[replica_set()])
    web = {**deployment(replicas=1, updatedReplicas=1, availableReplicas=1), "spec": spec}
    target = {"kind": "Deployment", "name": "web"}
    scaler: Any = {"kind": "HorizontalPodAutoscaler", "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3}}
    counts = {"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1, "numberAvailable": 1}
    counts |= {"desiredNumberScheduled": 1, "updatedNumberScheduled": 1}
    store = {**web, "kind": "StatefulSet", "status": {**counts, "updateRevision": "b", "currentRevision": "b"}}
    owned: Any = [{"uid": owner} for owner in ("rs", "d")]
    around = replace(around, pods=[{**labelled, "metadata": {**labelled["metadata"], "ownerReferences": owned}}], workloads=[web])
    daemons = {**web, "kind": "DaemonSet", "status": counts}
    return [judge(manifest, around) for manifest in (web, store, daemons, scaler, labelled)]


def beside(**status: Any) -> dict[str, Any]:
    """The pod of a Job with a sidecar; `status` is the pod's."""
    spec = {
        "restartPolicy": "Never",
        "initContainers": [{"name": "scratch", "restartPolicy": "Always"}],
        "containers": [{"name": "migrate"}],
    }
    return {**pod("m-1", "j"), "spec": spec, "status": status}


def told(name: str, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": name, "restartCount": restarts, "state": state}


def test_a_job_with_a_sidecar_is_told_by_what_does_the_work() -> None:
    runs: dict[str, Any] = {"running": {"startedAt": ago(5)}}
    works = beside(phase="Running", initContainerStatuses=[told("scratch", **runs)], containerStatuses=[told("migrate", **runs)])
    assert judge(job(), scene([works])) == Waiting("its end", LogOf("n", "m-1", "migrate"))
    # What a sidecar ends with when the work is done is no failed try, and none of the reasons why the work failed.
    killed = told("scratch", 1, terminated={"exitCode": 137, "reason": "Error"})
    done = beside(phase="Running", initContainerStatuses=[killed], containerStatuses=[told("migrate", terminated={"exitCode": 0})])
    assert judge(job(), scene([done])) == Waiting("its end")
    refused = beside(phase="Failed", initContainerStatuses=[killed], containerStatuses=[told("migrate", terminated={"exitCode": 3})])
    failed = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": "exit code 3 matches a rule"}
    state = judge(job(failed, failed=1), scene([refused]))
    assert isinstance(state, Failed)
    assert (state.cause, state.log) == (
        "exit code 3 matches a rule: container migrate ended with exit code 3",
        LogOf("n", "m-1", "migrate"),
    )


def test_a_job_whose_sidecar_does_not_start_has_failed() -> None:
    loops = {"waiting": {"reason": "CrashLoopBackOff"}}
    last = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": ago(3)}}
    waits = told("migrate", waiting={"reason": "PodInitializing"})
    looping = beside(phase="Pending", initContainerStatuses=[{**told("scratch", 2, **loops), "lastState": last}], containerStatuses=[waits])
    state = judge(job(), scene([looping]))
    assert isinstance(state, Failed)
    assert (state.cause, state.log) == ("container scratch ended 3 times, exit code 1", LogOf("n", "m-1", "scratch", previous=True))
    starts = beside(phase="Pending", initContainerStatuses=[told("scratch", running={"startedAt": ago(5)})], containerStatuses=[waits])
    assert judge(job(), scene([starts])) == Waiting("its end")


def test_a_container_that_no_probe_asks_is_ready_when_it_has_run_for_a_while() -> None:
    young, old = every_kind(unprobed(3)), every_kind(unprobed(11))
    assert young == [Waiting("pod web-1 to run for 10 s, since nothing asks whether it is ready")] * 5
    assert old == [Done()] * 5
    probed = unprobed(0)
    probed["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"port": 80}}
    assert every_kind(probed) == [Done()] * 5
    sidecar = {**probed, "spec": {**probed["spec"], "initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}}
    assert {type(state) for state in every_kind(sidecar)} == {Waiting}
    once = {**probed, "spec": {**probed["spec"], "initContainers": [{"name": "wait"}]}}
    assert every_kind(once) == [Done()] * 5


def test_a_container_that_no_probe_asks_has_failed_when_it_ends_meanwhile() -> None:
    started_again = every_kind(unprobed(2, restarts=1, died=2))
    assert {type(state) for state in started_again} == {Failed}
    assert {state.cause for state in started_again if isinstance(state, Failed)} == {"container web ended, exit code 0"}
    down = unprobed(0, terminated={"exitCode": 137, "reason": "OOMKilled", "finishedAt": ago(1)})
    causes = {state.cause for state in every_kind(down) if isinstance(state, Failed)}
    assert causes == {"container web ended, exit code 137 (OOMKilled)"}
    long_ago = unprobed(3, restarts=4, died=7200)  # before this rollout
    assert {type(state) for state in every_kind(long_ago)} == {Waiting}
    behind = {**unprobed(60), "metadata": {**unprobed(60)["metadata"], "creationTimestamp": ago(2)}}  # a node whose clock is
    assert {type(state) for state in every_kind(behind)} == {Waiting}


def test_a_ready_workload_whose_pods_were_not_seen_yet_is_waited_for() -> None:
    spec: Any = {"replicas": 1, "template": {"spec": {"containers": [{"name": "web"}]}}}
    web = {**deployment(replicas=1, updatedReplicas=1, availableReplicas=1), "spec": spec}
    assert judge(web, scene()) == Waiting("its pods to be seen")


def test_a_container_that_was_killed_for_its_memory_says_so() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    state = of_deployment(pod(status=container(restartCount=2, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=last)))
    assert isinstance(state, Failed)
    assert state.cause == "container web ended 3 times, exit code 137 (OOMKilled)"


def test_a_container_that_its_liveness_probe_killed_shows_the_probes_answer() -> None:
    last = {"terminated": {"exitCode": 137, "reason": "Error"}}
    killed = pod(status=container(restartCount=1, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=last))
    state = of_deployment(killed, events=[event(killed, "Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500")])
    assert isinstance(state, Failed)
    assert "Liveness probe failed: HTTP probe failed with statuscode: 500" in state.cause


def test_a_probe_may_say_no_for_as_long_as_its_settings_give_it() -> None:
    def state(seconds: float) -> State:
        running = pod(status=container(started=True, state={"running": {"startedAt": ago(seconds)}}))
        return of_deployment(running, events=[event(running, "Unhealthy", "Readiness probe failed: connection refused")])

    early, late = state(5), state(20)
    assert early == Waiting("0 of 2 ready; pod web-1: Readiness probe failed: connection refused")
    assert isinstance(late, Failed)
    assert late.cause == "container web runs, and is not ready after 20 s: Readiness probe failed: connection refused"


def test_a_probe_that_kubelet_reports_no_more_still_fails_while_former_pods_are_available() -> None:
    """kubelet sends some 25 events of a kind, then one in five minutes; and `availableReplicas` counts former pods too."""
    running = pod(status=container(started=True, state={"running": {"startedAt": ago(200)}}))
    said = event(running, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", seconds=150)
    around = Surroundings(NOW, NOW, [running], replica_sets=[replica_set()], events=[said])
    state = judge({**deployment(replicas=2, updatedReplicas=1, availableReplicas=1), "spec": {"replicas": 1}}, around)
    assert isinstance(state, Failed)
    assert "503" in state.cause
    silent = judge(
        {**deployment(replicas=2, updatedReplicas=1, availableReplicas=1), "spec": {"replicas": 1}},
        Surroundings(NOW, NOW, [running], replica_sets=[replica_set()]),
    )
    assert isinstance(silent, Failed)
    assert "its probe does not succeed" in silent.cause


def placed(seconds: float, message: str = "0/1 nodes are available: 1 Insufficient cpu.", **more: Any) -> dict[str, Any]:
    scheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": ago(seconds),
    }
    return {**pod(status={"phase": "Pending", "conditions": [scheduled]}), **more}


def test_a_pod_without_a_place_is_a_failure_after_a_while_unless_a_node_is_coming() -> None:
    assert isinstance(of_deployment(placed(2)), Waiting)
    assert isinstance(of_deployment(placed(15)), Waiting)  # the autoscaler may not have looked yet
    assert of_deployment(placed(30)) == Failed("pod web-1 cannot be placed: 0/1 nodes are available: 1 Insufficient cpu.", kind="place")
    for reason in ("TriggeredScaleUp", "Nominated"):
        assert isinstance(of_deployment(placed(30), events=[event(placed(30), reason, "1->2")]), Waiting)
    preempting = placed(30)
    preempting["status"]["nominatedNodeName"] = "node-1"
    assert isinstance(of_deployment(preempting), Waiting)


def test_while_a_pod_leaves_or_a_volume_is_made_there_is_more_time() -> None:
    leaving = pod("old-1", "old", deletionTimestamp=ago(1))
    assert isinstance(of_deployment(placed(30), leaving), Waiting)
    assert isinstance(of_deployment(placed(70), leaving), Failed)
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "uid": "c"}, "status": {"phase": "Pending"}}
    unbound = {**placed(30), "spec": {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}}
    assert isinstance(of_deployment(unbound, claims=[claim]), Waiting)


def test_a_pod_whose_claim_gets_no_volume_names_the_claim() -> None:
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "data", "uid": "c"}, "status": {"phase": "Pending"}}
    waiting = placed(30, "pod has unbound immediate PersistentVolumeClaims")
    waiting["spec"] = {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}
    said = [event(claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set")]
    state = of_deployment(waiting, claims=[claim], events=said)
    assert isinstance(state, Failed)
    assert "claim data gets no volume: no persistent volumes available" in state.cause


def test_a_quota_that_is_full_is_a_failure_when_it_stays_so() -> None:
    def refused(seconds: float) -> list[dict[str, str]]:
        message = 'pods "web-2" is forbidden: exceeded quota: quota'
        return [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message, "lastTransitionTime": ago(seconds)}
        ]

    assert isinstance(of_deployment(conditions=refused(0)), Waiting)
    assert of_deployment(conditions=refused(9)) == Failed(
        'no pod may be created: pods "web-2" is forbidden: exceeded quota: quota', kind="refused"
    )
    # The revision before was refused; the controller has seen this one, and not yet tried it.
    assert isinstance(of_deployment(conditions=refused(30), begun=1), Waiting)


def test_pods_of_a_former_revision_say_nothing_about_the_new_one() -> None:
    old = pod(
        "web-0",
        "old",
        status=container(restartCount=9, state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState={"terminated": {"exitCode": 1}}),
    )
    assert of_deployment(old) == Waiting("0 of 2 ready")


def test_a_pod_that_is_on_its_way_out_says_nothing() -> None:
    leaving = pod(status=container(state={"waiting": {"reason": "ErrImagePull", "message": PULL}}), deletionTimestamp=ago(1))
    assert of_deployment(leaving) == Waiting("0 of 2 ready")


def test_no_progress_in_the_time_that_the_deployment_gives_itself_is_a_failure() -> None:
    late = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    state = of_deployment(conditions=late)
    assert state == Failed("no progress within 600 s: 0 of 2 ready", kind="progress")


def test_a_volume_that_cannot_be_mounted_is_a_failure_after_a_while() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(30)}
    waiting = pod(status={"phase": "Pending", "conditions": [scheduled]})
    state = of_deployment(
        waiting, events=[event(waiting, "FailedMount", 'MountVolume.SetUp failed for volume "c": configmap "x" not found')]
    )
    assert state == Failed('pod web-1: MountVolume.SetUp failed for volume "c": configmap "x" not found', kind="mount")


@pytest.mark.parametrize("reason", ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"])
def test_a_first_try_that_failed_and_was_made_good_is_no_failure(reason: str) -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": ago(90)}
    pulling = pod(status={"phase": "Pending", "conditions": [scheduled], **container(state={"waiting": {"reason": "ContainerCreating"}})})
    failed = event(pulling, reason, "network is not ready", seconds=85)
    assert isinstance(of_deployment(pulling, events=[failed]), Failed)
    assert isinstance(of_deployment(pulling, events=[failed, event(pulling, "Pulling", "image r/web", seconds=80)]), Waiting)
    again = event(pulling, reason, "network is not ready", seconds=5)
    assert isinstance(of_deployment(pulling, events=[event(pulling, "Pulling", "image r/web", seconds=80), again]), Failed)
    pulling["status"]["conditions"].append({"type": "PodReadyToStartContainers", "status": "True"})
    assert isinstance(of_deployment(pulling, events=[failed]), Waiting)


def test_an_init_container_that_did_its_work_at_last_is_no_crash() -> None:
    tried = {"name": "wait", "restartCount": 1, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    starting = pod(status={**container(state={"waiting": {"reason": "PodInitializing"}}), "initContainerStatuses": [tried]})
    assert isinstance(of_deployment(starting), Waiting)
    tried["state"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    assert isinstance(of_deployment(starting), Failed)


def test_a_missing_key_of_a_secret_is_a_failure_at_once() -> None:
    state = of_deployment(
        pod(status=container(state={"waiting": {"reason": "CreateContainerConfigError", "message": "couldn't find key X"}}))
    )
    assert state == Failed("container web cannot be started: couldn't find key X", kind="configuration")


def test_a_kubelet_that_has_not_seen_a_config_map_yet_tries_again() -> None:
    message = "failed to sync configmap cache: timed out waiting for the condition"
    waiting = pod(status=container(state={"waiting": {"reason": "CreateContainerConfigError", "message": message}}))
    assert isinstance(of_deployment(waiting), Waiting)


def stateful_set(**status: Any) -> dict[str, Any]:
    metadata = {"name": "db", "namespace": "n", "uid": "s", "generation": 1}
    known = {"observedGeneration": 1, "replicas": 1, "updateRevision": "b", "currentRevision": "a"}
    return {"kind": "StatefulSet", "metadata": metadata, "spec": {"replicas": 1}, "status": {**known, **status}}


def test_a_stateful_set_is_done_in_its_newest_revision() -> None:
    assert judge(stateful_set(readyReplicas=1, updatedReplicas=1), scene()) == Done()
    assert judge(stateful_set(readyReplicas=1, currentRevision="b"), scene()) == Done()
    assert isinstance(judge(stateful_set(readyReplicas=1), scene()), Waiting)


def test_a_broken_pod_of_a_former_revision_is_stuck_since_nobody_replaces_it() -> None:
    broken = pod(
        "db-0",
        "s",
        status=container(state={"waiting": {"reason": "ErrImagePull", "message": PULL}}),
        labels={"controller-revision-hash": "a"},
    )
    state = judge(stateful_set(), scene([broken]))
    assert isinstance(state, Stuck)
    assert (state.pod, state.uid) == ("db-0", "uid-db-0")
    newest = pod("db-0", "s", status=broken["status"], labels={"controller-revision-hash": "b"})
    assert isinstance(judge(stateful_set(), scene([newest])), Failed)


def test_a_stateful_set_whose_pods_are_refused_says_why() -> None:
    refused = event(stateful_set(), "FailedCreate", 'create Pod db-0 failed error: violates PodSecurity "restricted:latest"', 5)
    state = judge(stateful_set(), scene(events=[refused]))
    assert state == Failed(f"no pod may be created: {refused['message']}", kind="refused")
    old = {**refused, "lastTimestamp": ago(7200)}
    assert isinstance(judge(stateful_set(), scene(events=[old])), Waiting)
    again = {**refused, "firstTimestamp": ago(600), "lastTimestamp": ago(0)}  # refused before this rollout, and once in it
    assert isinstance(judge(stateful_set(), scene(begun=1, events=[again])), Waiting)


def test_a_refusal_that_passes_is_no_failure() -> None:
    refused = event(job(), "FailedCreate", "failed calling webhook: connection refused", 5)
    assert isinstance(judge(job(), scene(events=[{**refused, "lastTimestamp": ago(1)}])), Waiting)  # it may pass
    assert isinstance(judge(job(), scene(events=[{**refused, "firstTimestamp": ago(5), "lastTimestamp": ago(1)}])), Failed)
    made = event(job(), "SuccessfulCreate", "Created pod: m-1", 4)
    assert isinstance(judge(job(), scene(events=[refused, made])), Waiting)
    assert isinstance(judge(job(), scene(events=[made, {**refused, "lastTimestamp": ago(1), "firstTimestamp": ago(9)}])), Failed)
    leaving = pod("m-0", "j", deletionTimestamp=ago(1))
    assert isinstance(judge(job(), scene([leaving], events=[refused])), Waiting)  # which makes room in a quota


def job(*conditions: dict[str, str], **status: Any) -> dict[str, Any]:
    return {"kind": "Job", "metadata": {"name": "m", "namespace": "n", "uid": "j"}, "status": {"conditions": [*conditions], **status}}


def test_a_job_is_done_when_complete_and_failed_with_its_last_pods_log() -> None:
    assert judge(job({"type": "Complete", "status": "True"}), scene()) == Done()
    ended = pod("m-1", "j", status={"phase": "Failed", **container(state={"terminated": {"exitCode": 7}})})
    state = judge(job({"type": "Failed", "status": "True", "message": "reached its backoff limit"}), scene([ended]))
    assert isinstance(state, Failed)
    assert state.cause == "reached its backoff limit: container web ended with exit code 7"
    assert state.log is not None
    assert state.log.pod == "m-1"


def test_a_job_that_may_try_again_is_waited_for() -> None:
    ended = pod("m-1", "j", status={"phase": "Failed", **container(state={"terminated": {"exitCode": 7}})})
    assert judge(job(failed=1), scene([ended])) == Waiting(
        "its end (1 of 7 tries failed, the last with exit code 7)", LogOf("n", "m-1", "web")
    )


def test_a_job_whose_image_is_not_there_is_not_waited_for() -> None:
    waiting = pod("m-1", "j", status={"phase": "Pending", **container(state={"waiting": {"reason": "ErrImagePull", "message": PULL}})})
    assert isinstance(judge(job(), scene([waiting])), Failed)


@pytest.mark.parametrize(
    ("phase", "reason", "expected"),
    [
        ("Bound", "", Done),
        ("Lost", "", Failed),
        ("Pending", "", Waiting),
        ("Pending", "ProvisioningFailed", Failed),
        ("Pending", "WaitForFirstConsumer", Done),
    ],
)
def test_a_claim(phase: str, reason: str, expected: type[State]) -> None:
    claim: Any = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c", "uid": "c"}, "status": {"phase": phase}}
    assert isinstance(judge(claim, scene(events=[event(claim, reason, "why")] if reason else [])), expected)


def test_a_daemon_set_and_a_definition() -> None:
    daemons: Any = {
        "kind": "DaemonSet",
        "metadata": {"uid": "x", "generation": 1},
        "status": {"observedGeneration": 1, "desiredNumberScheduled": 2},
    }
    assert isinstance(judge(daemons, scene()), Waiting)
    daemons["status"] = {**daemons["status"], "updatedNumberScheduled": 2, "numberAvailable": 2}
    assert judge(daemons, scene()) == Done()
    definition: Any = {"kind": "CustomResourceDefinition", "status": {"conditions": [{"type": "Established", "status": "True"}]}}
    assert judge(definition, scene()) == Done()
    assert isinstance(judge({"kind": "CustomResourceDefinition"}, scene()), Waiting)


def test_a_kind_that_has_nothing_to_wait_for_is_ready_when_it_is_there() -> None:
    assert judge({"kind": "ConfigMap"}, scene()) == Done()
