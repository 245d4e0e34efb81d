"""Java archives that a lock file names by path and hash, from Maven Central or the mirror that this machine's Maven settings name."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ops import folders
from ops.errors import Failure
from ops.network import connections, proxy_for, system_trust
from ops.retry import Policy, Transient, passes, persist

if TYPE_CHECKING:
    from urllib3 import PoolManager

LOCK: Final = "maven.lock"
CENTRAL: Final = "https://repo.maven.apache.org/maven2"  # https://maven.apache.org/guides/introduction/introduction-to-the-pom.html
_AT_ONCE: Final = 6
_SILENCE: Final = 30.0  # seconds
_POLICY: Final = Policy(tries=4, first=1.0, seconds=180.0)
_REMEDY: Final = "Check that Maven Central, or the mirror that ~/.m2/settings.xml names, is reachable; then run it again."


def archives(lock: Path) -> Iterator[tuple[str, str]]:
    """The lines of a lock: SHA-256 in hexadecimal, path in the repository. What follows a # is a comment."""
    for line in lock.read_text("utf-8").splitlines():
        if words := line.partition("#")[0].split():
            yield words[0], words[1]


def fetch(lock: Path, folder: Path, what: str) -> None:
    """Put every archive of a lock into a folder, each compared with its hash. Raises `Failure` where one cannot be had."""
    folder.mkdir(parents=True, exist_ok=True)
    source = repository()
    proxy = proxy_for(source)
    pool = connections(system_trust() if proxy or source.startswith("https") else None, proxy=proxy, number=_AT_ONCE)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        done = [threads.submit(_one, pool, f"{source}/{path}", digest, folder, what) for digest, path in archives(lock)]
        try:
            for one in as_completed(done):
                one.result()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)  # the first cause, and not that of all the others
            raise


def repository(home: Path | None = None) -> str:
    """The repository: the mirror of Maven Central in the user's settings, or itself.

    https://maven.apache.org/guides/mini/guide-mirror-settings.html
    """
    from xml.etree import ElementTree

    file = (home or folders.home()) / ".m2" / "settings.xml"
    try:
        root = ElementTree.parse(file).getroot()  # noqa: S314 - the user's own file
    except (OSError, ElementTree.ParseError):
        return CENTRAL
    for mirror in root.iterfind(".//{*}mirror"):
        of = {one.strip() for one in mirror.findtext("{*}mirrorOf", "").split(",")}
        url = mirror.findtext("{*}url", "").strip()
        if of & {"*", "central", "external:*"} and "!central" not in of and mirror.findtext("{*}blocked") != "true" and url:
            return url.rstrip("/")
    return CENTRAL


def _one(pool: "PoolManager", url: str, digest: str, folder: Path, what: str) -> None:
    doing, name = f"fetching {what}", url.rpartition("/")[2]

    def once(_: int) -> bytes:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        try:
            answer = pool.request("GET", url, timeout=Timeout(connect=_SILENCE, read=_SILENCE), retries=False, redirect=True)
        except HTTPError as error:
            raise Transient(Failure(doing, f"{name}: {error}", _REMEDY)) from error
        if answer.status == 200:
            return answer.data
        failure = Failure(doing, f"{name}: the repository answers {answer.status}", _REMEDY)
        raise Transient(failure) if passes(answer.status) else failure

    content = persist(once, _POLICY)
    if hashlib.sha256(content).hexdigest() != digest:
        raise Failure(doing, f"{name} is not the archive that {LOCK} names: its SHA-256 is another", "Check the repository's mirror.")
    (folder / name).write_bytes(content)
