"""The kubeconfig as kubectl reads it (client-go, tools/clientcmd): several files, merged; a context, its cluster and its user."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ops.documents import Json, load
from ops.errors import Failure, UsageError, cause_of
from ops.folders import home
from ops.kube.objects import Object, at, rows, table, text
from ops.network import system_trust

if TYPE_CHECKING:
    import ssl

NO_CLUSTER: Final = "Set KUBECONFIG, or make the file. To rehearse on this machine: `invoke testbed.up`, then the same with --testbed."
_REPAIR: Final = "Repair the kubeconfig."


@dataclass(frozen=True, slots=True)
class KubeconfigEntry:
    """A cluster or a user, and the folder of its file: paths in it begin there."""

    values: Object
    folder: Path

    def path(self, name: str) -> Path | None:
        """The file that a field names."""
        named = text(self.values, name)
        return self.folder / named if named else None


@dataclass(frozen=True, slots=True)
class Context:
    """What a context leads to, and as whom."""

    name: str
    server: str
    cluster: KubeconfigEntry
    user: KubeconfigEntry
    namespace: str = ""
    files: tuple[Path, ...] = ()  # of the kubeconfig


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """The files that are there, merged: of two entries of one name the first counts."""

    files: tuple[Path, ...]
    contexts: dict[str, Object] = field(default_factory=dict)
    clusters: dict[str, KubeconfigEntry] = field(default_factory=dict)
    users: dict[str, KubeconfigEntry] = field(default_factory=dict)
    found: bool = False  # at least one of the files


def usual_files() -> tuple[Path, ...]:
    """What KUBECONFIG names, or ~/.kube/config."""
    named = tuple(Path(p) for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p)
    return named or (home() / ".kube" / "config",)


def read(files: Sequence[Path]) -> Kubeconfig:
    """The files, merged. One that is missing or empty counts for nothing. Raises `UsageError` for one that is no kubeconfig."""
    contexts: dict[str, Object] = {}
    clusters: dict[str, KubeconfigEntry] = {}
    users: dict[str, KubeconfigEntry] = {}
    found = False
    for file in files:
        document = _document(file)
        found = found or document is not None
        for row in rows(document, "contexts"):
            contexts.setdefault(text(row, "name"), table(row, "context"))
        for name, into in (("cluster", clusters), ("user", users)):
            for row in rows(document, f"{name}s"):
                if not isinstance(row.get(name, {}), dict | None):
                    cause = f"its {name} {text(row, 'name')} is not as a kubeconfig has them"
                    raise UsageError(f"reading the kubeconfig {file}", cause, "Repair the kubeconfig, or set KUBECONFIG.")
                into.setdefault(text(row, "name"), KubeconfigEntry(table(row, name), file.absolute().parent))
    return Kubeconfig(tuple(files), contexts, clusters, users, found)


def _document(file: Path) -> Object | None:
    import yaml

    try:
        document: Json = load(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except yaml.YAMLError as error:
        # Its own words quote the line, which may hold a token.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise UsageError(f"reading the kubeconfig {file}", f"it is no YAML{where}", "Repair the file, or set KUBECONFIG.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"reading the kubeconfig {file}", cause_of(error), "Repair the file, or set KUBECONFIG.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"reading the kubeconfig {file}", "it is not a mapping", "Repair the file, or set KUBECONFIG.")
    return document


def context_of(config: Kubeconfig, name: str) -> Context:
    """What a context leads to. Raises `UsageError` where no file has it, and `Failure` where it names what no file has."""
    where, doing = ", ".join(str(f) for f in config.files), f"looking for context {name}"
    if not config.found:
        raise UsageError(doing, f"there is no kubeconfig: {where}", NO_CLUSTER)
    if name not in config.contexts:
        known = ", ".join(sorted(config.contexts)) or "none"
        remedy = f"Add the context {name} to your kubeconfig, or set KUBECONFIG to the file that has it."
        raise UsageError(doing, f"{where} does not have it (it has: {known})", remedy)
    context = config.contexts[name]
    cluster = config.clusters.get(text(context, "cluster"))
    server = text(cluster.values, "server") if cluster else ""
    if cluster is None or not server:
        raise Failure(doing, f"it names a cluster that {where} does not have", _REPAIR)
    user = config.users.get(text(context, "user"), KubeconfigEntry({}, cluster.folder))
    return Context(name, server if "://" in server else f"https://{server}", cluster, user, text(context, "namespace"), config.files)


def bytes_of(entry: KubeconfigEntry, name: str, doing: str) -> bytes | None:
    """What a field `NAME-data` holds, or the file that `NAME` names; None where there is neither."""
    import base64
    import binascii

    try:
        if data := text(entry.values, f"{name}-data"):
            return base64.b64decode(data, validate=True)
        path = entry.path(name)
        return path.read_bytes() if path else None
    except (OSError, binascii.Error) as error:
        raise Failure(doing, f"{name}: {cause_of(error)}", _REPAIR) from error


def trust(context: Context) -> "ssl.SSLContext":
    """Whom the context trusts: its certificate authority, or those of this machine. Raises `Failure` for what is no certificate."""
    import ssl

    doing = f"reading context {context.name}"
    authority = bytes_of(context.cluster, "certificate-authority", doing)
    insecure = at(context.cluster.values, "insecure-skip-tls-verify") is True
    try:
        found = ssl.create_default_context(cadata=authority.decode("ascii")) if authority else system_trust()
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise Failure(doing, f"its certificate authority is no certificate in PEM: {error}", _REPAIR) from error
    # Python 3.13 asks for more than the RFC's minimum, which authorities of older clusters lack, and kubectl does not ask for.
    found.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if insecure:
        found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
    return found


def identify(tls: "ssl.SSLContext", certificate: bytes, key: bytes, doing: str) -> None:
    """Show this certificate to who asks. Raises `Failure` where the two do not belong together, or are none."""
    import ssl
    import tempfile

    with tempfile.NamedTemporaryFile() as first, tempfile.NamedTemporaryFile() as second:  # OpenSSL reads files; only we may read these
        for file, words in ((first, certificate), (second, key)):
            file.write(words)
            file.flush()
        try:
            tls.load_cert_chain(first.name, second.name, password=lambda: b"")
        except (ssl.SSLError, ValueError) as error:
            cause = f"its client certificate or key cannot be used: {error}"
            raise Failure(doing, cause, _REPAIR) from error
