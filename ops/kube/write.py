"""The one place that writes to a cluster: nothing else sends a request that may change one, and a test holds that.

The client asks its guard before each of these requests, and before each further try: while a deploy runs, the guard is the deploy's lock
(`ops.cluster.lock`). What is written outside of a deploy has no lock to ask: taking and giving back the lock itself, and the debug
container of a shell.
"""

from collections.abc import Mapping

from ops.documents import Json
from ops.kube.client import REQUEST_SECONDS, ApiError, Client
from ops.kube.objects import Object
from ops.retry import Policy


def create(client: Client, path: str, body: Object, query: Mapping[str, str] | None = None) -> Object:
    """Make an object in the collection at a path. Raises `ApiError` with status 409 where there is one of this name."""
    return client.request("POST", path, query, body)


def replace(client: Client, path: str, body: Object, *, seconds: float = REQUEST_SECONDS, policy: Policy | None = None) -> Object:
    """Put an object in place of the one at a path. Raises `ApiError` with status 409 where that is not of the body's resourceVersion."""
    return client.request("PUT", path, body=body, seconds=seconds, policy=policy)


def patch(client: Client, path: str, body: Json, content_type: str, query: Mapping[str, str] | None = None) -> Object:
    """Change the object at a path. `content_type` says what the body is: a server-side apply, a merge patch, a JSON patch."""
    return client.request("PATCH", path, query, body, content_type=content_type)


def delete(client: Client, path: str, *, preconditions: Mapping[str, str] | None = None, foreground: bool = False) -> bool:
    """Delete the object at a path, only with these `preconditions` (uid, resourceVersion); False when it was gone already.

    What it owns is deleted after it; with `foreground` before it, so that it is there until its pods are gone.
    """
    body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground" if foreground else "Background"}
    if preconditions:
        body["preconditions"] = {**preconditions}
    try:
        client.request("DELETE", path, body=body)
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True


def ask(client: Client, path: str, review: Object) -> Object:
    """Post a question, such as a SelfSubjectAccessReview: the API server answers it and keeps nothing."""
    return client.request("POST", path, body=review)
