"""The debug container of a shell."""

from ops.cluster.shell import debug_container
from ops.kube.objects import Object

POD: Object = {"spec": {"containers": [{"name": "web", "securityContext": {"runAsUser": 1000}}]}}


def test_input_from_a_pipe_ends_the_shell_and_a_terminal_may_be_joined_again() -> None:
    piped = debug_container(POD, "image", ("sh",), terminal=False)
    assert (piped["stdin"], piped["stdinOnce"], piped["tty"]) == (True, True, False)
    joined = debug_container(POD, "image", ("sh",), terminal=True)
    assert (joined["stdin"], joined["stdinOnce"], joined["tty"]) == (True, False, True)
