"""What runs inside the cluster from the start: infra/testbed/objects, with addresses and images filled in."""

from string import Template

from ops.command import Command, run
from ops.say import Say
from ops.testbed import archive, build
from ops.testbed.cluster import PAUSE
from ops.testbed.layout import NODE, SOURCES, Layout
from ops.testbed.processes import environment
from ops.testbed.volumes import FOLDER

COREDNS, METRICS_SERVER = "testbed.local/coredns:1", "testbed.local/metrics-server:1"
IMAGES = {PAUSE: "pause", COREDNS: "coredns", METRICS_SERVER: "metrics-server"}
VOLUMES = 16  # how many PersistentVolumes each new cluster offers


def documents(layout: Layout) -> str:
    """All objects as one YAML stream."""
    folder = SOURCES / "objects"
    values = {"dns_address": layout.dns_address, "coredns": COREDNS, "metrics_server": METRICS_SERVER}
    names = ("coredns.yaml", "metrics-server.yaml", "network-policies.yaml", "storage.yaml")
    texts = [Template((folder / name).read_text()).substitute(values) for name in names]
    volume = Template((folder / "volume.yaml").read_text())
    for number in range(VOLUMES):
        name = f"local-{number:02}"
        texts.append(volume.substitute(name=name, path=layout.state / FOLDER / name, node=NODE))
    return "\n---\n".join(texts)


def load_images(layout: Layout, say: Say) -> None:
    """Give the cluster's containerd the images that only it needs."""
    programs = build.folder(layout)
    paths = [str(archive.of_program(layout, name, programs / program, say)) for name, program in IMAGES.items()]
    for path in paths:
        ctr = (f"{layout.bin}/ctr", "--address", str(layout.containerd_socket), "-n", "k8s.io", "images", "import", "--local", path)
        run(Command(ctr, "loading the cluster's own images", env=environment(layout)))


def apply(layout: Layout) -> None:
    """Put the objects into the cluster; again does no harm."""
    for number in range(VOLUMES):
        (layout.state / FOLDER / f"local-{number:02}").mkdir(parents=True, exist_ok=True)
    argv = (f"{layout.bin}/kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-")
    run(Command(argv, "preparing the testbed's cluster", env=environment(layout), stdin=documents(layout)))


def await_rollout(layout: Layout, deployment: str, seconds: int) -> None:
    """Wait until a Deployment of kube-system is ready."""
    argv = (f"{layout.bin}/kubectl", "-n", "kube-system", "rollout", "status", f"deployment/{deployment}", f"--timeout={seconds}s")
    remedy = f"Ask `kubectl -n kube-system describe pods`, and see {layout.logs}."
    run(Command(argv, f"waiting for {deployment}", env=environment(layout), remedy=remedy))
