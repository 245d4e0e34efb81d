"""The Go programs of the cluster, built from infra/testbed/kubernetes: one module, so that they share what they import."""

import re
from pathlib import Path

from ops.command import Command
from ops.errors import Failure
from ops.say import Say
from ops.testbed.keep import kept, key_of
from ops.testbed.layout import SOURCES, Layout
from ops.tools import find
from ops.tools.gomodule import compiled

MODULE = SOURCES / "kubernetes"
PROGRAMS = ("kube", "coredns", "kube-router", "metrics-server", "pause")
FLAGS = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false"}


def kubernetes_version(go_mod: str) -> str:
    """The version of Kubernetes that a go.mod requires, with its v."""
    match = re.search(r"^\s*(?:require )?k8s\.io/kubernetes (v\d+\.\d+\.\d+\S*)", go_mod, re.M)
    if match is None:
        raise Failure("reading infra/testbed/kubernetes/go.mod", "it does not require k8s.io/kubernetes", "Restore the file.")
    return match[1]


def link_flags(version: str) -> str:
    """What the linker writes into the programs: without it every component says it is v0.0.0, and kubectl complains of skew."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    stamp = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z"}
    return " ".join(["-s -w", *(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamp.items())])


def folder(layout: Layout) -> Path:
    """Where the programs lie, once they are built."""
    sources = [MODULE / "go.mod", MODULE / "go.sum", *(MODULE / name / "main.go" for name in PROGRAMS)]
    texts = [text for path in sources for text in (str(path.relative_to(MODULE)), path.read_text())]
    return layout.cache / f"kubernetes-{key_of(find('go').version, str(sorted(FLAGS.items())), *texts)}"


def built(layout: Layout, say: Say) -> Path:
    """The folder with the programs."""
    return kept(folder(layout), _build, "building Kubernetes, CoreDNS, kube-router and metrics-server (once, some minutes)", say)


def _build(work: Path) -> None:
    go = find("go")
    flags = link_flags(kubernetes_version((MODULE / "go.mod").read_text()))
    packages = [f"./{name}" for name in PROGRAMS]
    remedy = "Check that the Go module proxy can be reached (go env GOPROXY) and that the disk has 10 GB left."
    argv = (*go.argv, "build", "-ldflags", flags, "-o", f"{work}/", *packages)
    compiled(Command(argv, "building Kubernetes for the testbed", env={**go.env, **FLAGS}, cwd=MODULE, remedy=remedy))
