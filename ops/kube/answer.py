"""What to know of an answer beside its JSON: the server's warnings, values of Secrets, whether it is what was sent."""

import base64
import re
from collections.abc import Iterable
from contextlib import suppress

from ops.documents import Json
from ops.kube.objects import Object, table, text
from ops.secret import register


def warnings_of(headers: Iterable[str]) -> list[str]:
    """The texts of `Warning:` headers, whose form is `299 - "text"`, several to a header or one (RFC 7234, section 5.5)."""
    quoted = [found for header in headers for found in re.findall(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"', header)]
    return [re.sub(r"\\(.)", r"\1", text) for text in quoted]


def holds(found: Json, sent: Json) -> bool:
    """Whether an object is what was sent: it has all of it, and what the server adds."""
    if isinstance(sent, dict):
        if not isinstance(found, dict):
            return False
        plain = {k: v for k, v in sent.items() if v is not None and k not in ("resourceVersion", "managedFields", "status", "stringData")}
        coded: Object = {k: base64.b64encode(str(v).encode()).decode() for k, v in table(sent, "stringData").items()}
        return all(holds(found.get(k), v) for k, v in plain.items()) and (not coded or holds(found.get("data"), coded))
    if isinstance(sent, list):
        return isinstance(found, list) and len(found) == len(sent) and all(map(holds, found, sent))
    return found == sent


def register_secrets(secrets: Iterable[Json]) -> None:
    """Know the values of Secrets, whatever is said of them later. Records are Secrets too, and hold no secret."""
    for secret in secrets:
        if text(secret, "type").endswith("/record.v1"):
            continue
        register(*(value for value in table(secret, "stringData").values() if isinstance(value, str)))
        for value in table(secret, "data").values():
            if isinstance(value, str):
                register(value)
                with suppress(ValueError):
                    register(base64.b64decode(value, validate=True).decode())
