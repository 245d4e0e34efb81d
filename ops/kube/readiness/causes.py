"""Each cause that a rollout can fail for: how it is told, for how long it may be passing, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ops.kube.readiness.state import CauseKind, Failed, LogOf


@dataclass(frozen=True, slots=True)
class Cause:
    """`text` has its details in braces. `seconds`: for how long it may pass by itself."""

    text: str
    remedy: str
    seconds: float = 0.0


# For how long a pod may be without a place where that has a reason: while another pod leaves, while a volume is made.
ROOM_SECONDS: Final = 60
BINDING_SECONDS: Final = 120

CAUSES: Final[Mapping[CauseKind, Cause]] = {
    "image": Cause(
        "image {image} cannot be pulled: {why}",
        "See that the registry has this image and that the nodes may pull it (the Secret `registry`); `invoke build --push` pushes it.",
        60,  # of errors: while it pulls, a pod waits with ContainerCreating
    ),
    "platform": Cause(
        "container {name} cannot run here: {why}",
        "Build the image for the processors of the nodes: `nodes` in platform.yaml names them.",
    ),
    "configuration": Cause(
        "container {name} cannot be started: {why}",
        "Correct what it is started with: the ConfigMap, the Secret or the command that the message names.",
    ),
    "crash": Cause(
        "container {name} ended{times}, exit code {code}{reason}{message}",
        "See the lines above: the program ended by itself. Correct it, or what it is configured with.",
    ),
    "end": Cause(
        "container {name} ended{times}, exit code 0{reason}{message}",
        "A workload must go on running. Correct its command, or make what runs once a Job.",
    ),
    "memory": Cause(
        "container {name} ended{times}, exit code {code} (OOMKilled){message}",
        "Raise its `resources.limits.memory`, or find what takes so much.",
    ),
    "liveness": Cause(
        "container {name} was restarted {restarts} times: {why}",
        "See why it answers its probe so; or give its startupProbe or livenessProbe more time.",
    ),
    "readiness": Cause(
        "container {name} runs, and is not ready after {seconds:.0f} s: {why}",
        "See what its readiness probe waits for (its answer is above): a dependency, a variable, the probe's path and port.",
    ),
    "place": Cause(
        "pod {pod} cannot be placed: {why}",
        "Lower its `resources.requests`, correct what it asks of a node, or add a node.",
        25,  # an autoscaler of the nodes looks every 10 s, and says then that it brings one
    ),
    "claim": Cause(
        "claim {name} gets no volume: {why}",
        "Name a storage class that the cluster has (`kubectl get storageclass`), and what it can give.",
    ),
    "lost volume": Cause(
        "claim {name} has lost its volume {volume}",
        "Restore the volume, or its data into a claim of another name.",
    ),
    "mount": Cause("pod {pod}: {why}", "Make the ConfigMap, the Secret or the claim that the volume names.", 20),
    "attach": Cause("pod {pod}: {why}", "See whether another node still holds the volume, and whether its driver runs.", 60),
    "network": Cause("pod {pod}: {why}", "The node could not set the pod up: see its network plugin and its container runtime.", 60),
    "pod": Cause("pod {pod} failed: {why}", "See what the node says of it: `kubectl describe pod`."),
    "refused": Cause(
        "no pod may be created: {why}",
        "Make the pod fit the quota or the policy that the message names, or change that.",
        3,  # a hook that was away for a moment
    ),
    "job": Cause("{message}: {why}", "See the lines above and correct what they say; the next deploy runs the Job again."),
    "deadline": Cause(
        "{message}{why}",
        "See what it waited for (its lines above), or raise its `activeDeadlineSeconds`; the next deploy runs the Job again.",
    ),
    "halted": Cause("{why}", "Run that command."),
    "progress": Cause("no progress within {seconds} s: {why}", "See what it waits for, or raise its `progressDeadlineSeconds`."),
    "sealed": Cause("it cannot be unsealed: {why}", "Seal it again for this cluster, its namespace and its name: `kubeseal`."),
    "target": Cause("it scales {kind} {name}, which is not there", "Correct its `scaleTargetRef`."),
    "deleted": Cause("it was deleted before it {end}", "See who deleted it: a person, or a controller that cleans up."),
    "waiting": Cause("waiting for {why}", "See `invoke status`: it may only have been slow."),
}


def failed(kind: CauseKind, log: LogOf | None = None, /, **words: object) -> Failed:
    """A cause in words."""
    return Failed(CAUSES[kind].text.format_map(words), log, kind)


def remedy(kind: CauseKind) -> str:
    """What to do about a cause."""
    return CAUSES[kind].remedy
