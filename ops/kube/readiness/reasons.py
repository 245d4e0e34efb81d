"""What the parts of a cluster say of a pod that does not start. Most of it is no API: words that kubelet, runtimes and registries write."""

import re
from collections.abc import Mapping
from typing import Final

from ops.kube.readiness.state import CauseKind

# Why a container waits that has no image, and one that cannot be made of it (kubelet, pkg/kubelet/images and container).
PULL: Final = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable")
CREATE: Final = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError")
# What a registry says when trying again does not help. There is no code for it in the API, only containerd's words.
FINAL_PULL: Final = re.compile(
    r"not found|manifest unknown|unauthorized|denied|forbidden|invalid reference|no match for platform|InvalidImageName", re.I
)
# The kubelet has not yet seen the ConfigMap or the Secret, and tries again: not that there is none.
PASSING: Final = re.compile(r"failed to sync (configmap|secret) cache: timed out")
# What the runtime says of a program for another kind of processor (runc; the kernel's ENOEXEC).
FOREIGN: Final = re.compile(r"exec format error")
# Of the cluster autoscaler, of Karpenter; the scheduler itself names the node on which it makes room.
PLACE_COMES: Final = ("TriggeredScaleUp", "Nominated")
# Why a pod cannot get what it needs from its node, by the reason of the event.
SETTING_UP: Final[Mapping[str, CauseKind]] = {"FailedMount": "mount", "FailedAttachVolume": "attach", "FailedCreatePodSandBox": "network"}


def innermost(message: str) -> str:
    """The end of containerd's chain of causes, where it says what happened."""
    parts = message.strip().split(": ")
    return ": ".join(parts[-2:]) if len(parts) > 2 else message.strip()
