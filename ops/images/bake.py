"""The one build of all missing images: a bake file, the run of `docker buildx bake`, and what it says while it runs."""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from ops.command import Command, environment
from ops.errors import Failure
from ops.images import dockerfile
from ops.images.model import EPOCH, VERSION_LENGTH, Planned
from ops.images.registry import reference
from ops.retry import Policy, Transient, persist

# A step that a person wrote: `[stage 2/7] RUN …`, with the image's name in front when several are built.
_STEP = re.compile(r"\[((?:\S+ )+?)\s*\d+/\d+\] (?!FROM )(.*)", re.DOTALL)
_ENDED = "was ended by"
Metadata = Mapping[str, Mapping[str, object]]
DIGEST, CONFIG = "containerimage.digest", "containerimage.config.digest"
POLICY: Final = Policy(tries=6, first=0.5, seconds=120.0)
# How the builder says that a registry, or the way to it, failed by something that may pass. A step's own words may look alike otherwise.
_PASSING: Final = re.compile(
    r"(?:failed to (?:push|do request|copy|resolve|fetch|authorize)|unexpected status from \w+ request).*"
    r"(?:\b(?:408|425|429|50[0234])\b|connection (?:reset|refused)|broken pipe|\bEOF\b|i/o timeout|TLS handshake timeout|Client\.Timeout)"
    # What a step itself says where a name was not resolved for a moment: glibc's and curl's words, and Node's code.
    r"|Temporary failure in name resolution|Could not resolve host|\bEAI_AGAIN\b"
    # Two images without a name that have one content, exported at one moment: the engine lets the first have it, and the second fails.
    r"|image \"moby-dangling@sha256:[0-9a-f]{64}\": already exists",
)
LOG_LINES = 25
LOG_CHARACTERS = 10_000


def bakefile(images: Mapping[Path, Planned], *, push: bool, versions: Mapping[str, str] | None = None) -> dict[str, object]:
    """The bake file (docs.docker.com/build/bake/reference) for these images, by the folder of their context.

    `versions`: what each image is called inside, by its name. Without them nothing is named, tagged or pushed: see `versions_of`.
    """
    targets = {
        image.name: _target(folder, image, None if versions is None else versions[image.name], push=push)
        for folder, image in images.items()
    }
    return {"group": {"default": {"targets": list(targets)}}, "target": targets}


def versions_of(built: Metadata, names: Iterable[str]) -> dict[str, str]:
    """The version of each image: the first digits of what it is without a version.

    Not of its key, nor the commit: both can change and the image not, and then it must stay the same image, or it would be rolled out.
    """
    digests = {name: built.get(name, {}).get(CONFIG) or built.get(name, {}).get(DIGEST) for name in names}
    return {name: str(digest or "").removeprefix("sha256:")[:VERSION_LENGTH] for name, digest in digests.items()}


def _target(folder: Path, image: Planned, version: str | None, *, push: bool) -> dict[str, object]:
    bases = {argument: base.name for argument, base in image.inputs.bases.items()}
    arguments = {**image.inputs.arguments, **bases, "SOURCE_DATE_EPOCH": str(EPOCH)}
    if "APP_VERSION" in dockerfile.arguments(dockerfile.read(image.inputs.recipe)):
        arguments["APP_VERSION"] = version or ""
    named: dict[str, object] = {"output": ["type=image"]}
    if version is not None:
        labels = {"org.opencontainers.image.title": image.name, "org.opencontainers.image.version": version}
        # Not `rewrite-timestamp`: an engine's own builder refuses it (it unpacks what it builds). The Dockerfiles date their files.
        named = {"labels": labels, "tags": [image.reference], "output": ["type=image,push=true" if push else "type=docker"]}
    target: dict[str, object] = {
        "context": str(folder),
        "dockerfile-inline": image.inputs.recipe,
        "args": arguments,
        "platforms": [image.inputs.platform],
        # An attestation holds dates, and would make an index out of the image's manifest.
        "attest": ["type=provenance,disabled=true", "type=sbom,disabled=true"],
        **named,
    }
    return {key: _literal(value) for key, value in target.items()}


def _literal(value: object) -> object:
    """Strings of a bake file are templates: ${…} and %{…} are evaluated unless they are escaped (HCL JSON syntax)."""
    if isinstance(value, str):
        return value.replace("${", "$${").replace("%{", "%%{")
    if isinstance(value, dict):
        return {key: _literal(entry) for key, entry in value.items()}
    return [_literal(entry) for entry in value] if isinstance(value, list) else value


@dataclass(slots=True)
class BuildEvents:
    """What the builder has said so far (`--progress=rawjson`: BuildKit's own status messages, a JSON object a line)."""

    report: Callable[[str], None]
    names: dict[str, str] = field(default_factory=dict)
    logs: defaultdict[str, str] = field(default_factory=lambda: defaultdict(str))
    errors: dict[str, str] = field(default_factory=dict)
    other: list[str] = field(default_factory=list)
    done: set[str] = field(default_factory=set)

    def read(self, line: str) -> None:
        """Take in one line; a step of a Dockerfile that ended is reported."""
        try:
            status = json.loads(line)
        except ValueError:
            self.other.append(line.rstrip())
            return
        for vertex in status.get("vertexes") or ():
            self._vertex(vertex)
        for log in status.get("logs") or ():
            text = base64.b64decode(log.get("data") or "").decode(errors="replace")
            self.logs[log["vertex"]] = (self.logs[log["vertex"]] + text)[-LOG_CHARACTERS:]

    def _vertex(self, vertex: Mapping[str, object]) -> None:
        digest, name = str(vertex["digest"]), str(vertex.get("name", ""))
        self.names[digest] = name
        if error := vertex.get("error"):
            # BuildKit repeats the whole command here, which the step's name shows already.
            self.errors[digest] = re.sub(r'^process ".*" did not complete successfully: ', "", str(error), flags=re.DOTALL)
        if vertex.get("completed") and digest not in self.done and not vertex.get("error"):
            self.done.add(digest)
            if not vertex.get("cached") and (step := _STEP.match(name)):
                self.report(f"{step[1]:<24} {_short(step[2])}  {_seconds(vertex)}".rstrip())

    def failure(self) -> tuple[str, str]:
        """The step that failed and the last lines of its log; and all of the builder's own words, to look for known causes."""
        culprits = [d for d, e in self.errors.items() if "context canceled" not in e.lower()] or list(self.errors)
        lines = [
            line
            for digest in culprits[:1]
            for line in (_short(self.names[digest]), *self.logs[digest].splitlines()[-LOG_LINES:], self.errors[digest])
        ]
        return "\n".join(lines or self.other[-LOG_LINES:]), "\n".join((*self.errors.values(), *self.logs.values(), *self.other))


def _short(step: str, width: int = 100) -> str:
    line = re.sub(r"--mount=\S+\s*", "", " ".join(step.split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def _seconds(vertex: Mapping[str, object]) -> str:
    """How long a step took, from BuildKit's dates (RFC 3339, nanoseconds)."""
    started, completed = (datetime.fromisoformat(str(vertex[key])[:26].rstrip("Z")) for key in ("started", "completed"))
    return f"{(completed - started).total_seconds():.1f} s"


def run(command: Command, metadata: Path, report: Callable[[str], None]) -> Metadata:
    """Run the bake to its end and return what the builder wrote down in `metadata` of each image.

    It is run again where what failed may pass, such as a registry: what is built by then stays in the builder's cache.
    """
    return persist(lambda _: _once(command, metadata, report), POLICY)


def _once(command: Command, metadata: Path, report: Callable[[str], None]) -> Metadata:
    events = BuildEvents(report)
    with _process(command) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(command.stdin or "")
            process.stdin.close()
        for line in process.stderr:
            events.read(line)
        code = process.wait()
    if code:
        cause, words = events.failure()
        failure = _failure(command, cause if events.errors else f"{_ended(command, code)}\n{cause}".rstrip(), words)
        raise Transient(failure) if _PASSING.search(words) else failure
    document: Metadata = json.loads(metadata.read_text(encoding="utf-8"))
    return document


@contextlib.contextmanager
def _process(command: Command) -> Iterator["subprocess.Popen[str]"]:
    """The builder's client in a process group of its own: it is told to stop, and waited for, when this process is."""
    pipe = subprocess.PIPE
    env = environment(command)
    try:
        process = subprocess.Popen(
            command.argv,
            env=env,
            cwd=command.cwd,
            stdin=pipe,
            stdout=subprocess.DEVNULL,
            stderr=pipe,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        remedy = "Run `invoke doctor` to see which tools are missing."
        raise Failure(command.doing, f"{command.argv[0]}: {error.strerror}", remedy) from error
    try:
        with ended_together(process):
            yield process
    finally:
        if process.poll() is None:
            _stop(process)
        if process.stderr:
            process.stderr.close()


# Whoever writes a line lets go of the group; where the pipe ends without one, the writer was killed.
_LEASH = """
read -r _ && exit
kill -s INT -- "-$1"
seconds=0
while kill -s 0 -- "-$1" && [ "$seconds" -lt 10 ]; do sleep 1; seconds=$((seconds + 1)); done
kill -s KILL -- "-$1"
"""


@contextlib.contextmanager
def ended_together(process: "subprocess.Popen[str]") -> Iterator[None]:
    """End the group that `process` leads when this process ends inside the block, by `kill -9` too."""
    nothing = subprocess.DEVNULL
    argv = ("/bin/sh", "-c", _LEASH, "leash", str(process.pid))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing, start_new_session=True) as watcher:
        try:
            yield
        finally:
            watcher.communicate(b"\n")


def _ended(command: Command, code: int) -> str:
    program = f"`{Path(command.argv[0]).name}`"
    if code > 0:
        return f"{program} exited {code} without the error of a step"
    with contextlib.suppress(ValueError):
        return f"{program} {_ENDED} {signal.Signals(-code).name}"
    return f"{program} {_ENDED} signal {-code}"


def _stop(process: "subprocess.Popen[str]") -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


def _failure(command: Command, cause: str, words: str) -> Failure:
    """The builder has no codes for its errors; these are the few texts that call for a remedy of their own."""
    lower = words.lower()
    if "no space left on device" in lower:
        remedy = "Free some: `docker buildx prune` drops the build cache, `docker image prune --all` the unused images. Then run it again."
        return Failure(command.doing, f"the disk of the Docker engine is full\n{cause}", remedy)
    if "exec format error" in lower:
        emulation = "`docker run --privileged --rm tonistiigi/binfmt --install all`"
        remedy = f"Give it emulation ({emulation}), or take a builder of that platform (`docker buildx use NAME`)."
        return Failure(command.doing, f"the builder cannot run programs of that platform\n{cause}", remedy)
    if refused := re.search(r"failed to push (\S+?):? .*?(unauthorized|denied|forbidden|insufficient_scope)", lower):
        registry = reference(refused[1]).registry
        remedy = f"Run `docker login {registry}` with an account that may push."
        return Failure(command.doing, f"the registry {registry} refused the push\n{cause}", remedy)
    remedy = "Correct what the step above complains of, then run it again."
    if "failed to push" in lower:
        remedy = "Check that the registry is up and takes pushes, then run it again: what is built stays in the cache."
    elif re.search(r"code = unavailable|: unavailable:|cannot connect to the docker daemon", lower):
        cause = f"the builder went away\n{cause}"
        remedy = "See whether the Docker engine runs (`docker info`), then run it again."
    elif _ENDED in cause:
        remedy = "See whether the memory ran out (`dmesg`), then run it again: what is built stays in the cache."
    return Failure(command.doing, cause, remedy)
