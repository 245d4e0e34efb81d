"""Kubernetes on one node: settings and daemons, from etcd to kube-router."""

import json
import ssl
import urllib.request
from pathlib import Path

from ops.command import Command, run
from ops.testbed import fetch
from ops.testbed.keep import write
from ops.testbed.layout import API_PORT, CGROUP, EVERYWHERE, LOOPBACK, NODE, POD_BRIDGE, Layout
from ops.testbed.probes import answers_http, unverified
from ops.testbed.processes import Daemon, environment

PAUSE = "testbed.local/pause:1"
ETCD, ETCD_PEER, ETCD_HEALTH = (f"{LOOPBACK}:{port}" for port in (2379, 2380, 2381))
POLICY_HEALTH_PORT = 20344  # kube-router has it on every address; its usual one is 20244


def hosts_toml(server: str, mirror: str) -> str:
    """containerd's settings for a registry: ask the mirror first, then the server (containerd docs/hosts.md)."""
    return f'server = "{server}"\n\n[host."{mirror}"]\n  capabilities = ["pull", "resolve"]\n'


def configuration(layout: Layout, mtu: int) -> dict[str, str]:
    """The files that the daemons read, by their name in the folder of settings."""
    loopback = f"http://{layout.registry}"
    return {
        "containerd.toml": _containerd(layout),
        # The product's registry is the loopback's one and nothing else: a missing image must not be looked for in the world.
        f"certs.d/{layout.product or _catalogued()}/hosts.toml": hosts_toml(loopback, loopback),
        "certs.d/docker.io/hosts.toml": hosts_toml("https://registry-1.docker.io", loopback),
        "cni/10-testbed.conflist": json.dumps(_pod_network(layout, mtu), indent=2),
        "kubelet.json": json.dumps(_kubelet(layout), indent=2),
        "audit.json": json.dumps(AUDIT, indent=2),
    }


def _catalogued() -> str:
    from ops import catalog

    return catalog.load().registry


def configure(layout: Layout, mtu: int) -> None:
    """Write those files."""
    layout.logs.mkdir(parents=True, exist_ok=True)
    for name, text in configuration(layout, mtu).items():
        write(layout.conf / name, text)


def stores(layout: Layout) -> list[Daemon]:
    """What the API server needs, and what the kubelet runs containers with."""
    pki = layout.pki
    etcd = (
        f"{layout.bin}/etcd",
        "--name=testbed",
        f"--data-dir={layout.state}/etcd",
        "--unsafe-no-fsync",  # a crash means a new cluster anyhow
        "--log-level=warn",
        f"--listen-client-urls=https://{ETCD}",
        f"--advertise-client-urls=https://{ETCD}",
        f"--listen-peer-urls=http://{ETCD_PEER}",
        f"--initial-advertise-peer-urls=http://{ETCD_PEER}",
        f"--initial-cluster=testbed=http://{ETCD_PEER}",
        f"--listen-metrics-urls=http://{ETCD_HEALTH}",
        f"--cert-file={pki}/etcd.crt",
        f"--key-file={pki}/etcd.key",
        "--client-cert-auth",
        f"--trusted-ca-file={pki}/etcd-ca.crt",
    )
    version = Command(
        (f"{layout.bin}/ctr", "--address", str(layout.containerd_socket), "version"), "asking containerd", env=environment(layout)
    )
    containerd = (f"{layout.bin}/containerd", "--config", f"{layout.conf}/containerd.toml")
    return [
        Daemon("etcd", etcd, lambda: answers_http(f"http://{ETCD_HEALTH}/health")),
        Daemon("containerd", containerd, lambda: layout.containerd_socket.exists() and run(version, check=False).code == 0),
    ]


def api_server(layout: Layout) -> Daemon:
    """The API server, with the aggregation that metrics need and an audit log of every write."""
    pki = layout.pki
    argv = (
        f"{layout.bin}/kube-apiserver",
        f"--bind-address={EVERYWHERE if layout.published else layout.node_address}",
        f"--advertise-address={layout.node_address}",
        f"--secure-port={API_PORT}",
        f"--etcd-servers=https://{ETCD}",
        f"--etcd-cafile={pki}/etcd-ca.crt",
        f"--etcd-certfile={pki}/etcd.crt",
        f"--etcd-keyfile={pki}/etcd.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--cert-dir={layout.state}/apiserver",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--service-cluster-ip-range={layout.services}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--enable-aggregator-routing=true",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
        f"--audit-policy-file={layout.conf}/audit.json",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=50",
        "--audit-log-maxbackup=1",
    )
    return Daemon("kube-apiserver", argv, lambda: answers_http(f"https://{layout.node_address}:{API_PORT}/readyz", administrator(layout)))


def controllers(layout: Layout) -> list[Daemon]:
    """What acts on the API server's objects."""

    def control(name: str, port: int, *more: str) -> Daemon:
        own = f"{layout.conf}/{name}.kubeconfig"
        flags = [f"--{kind}kubeconfig={own}" for kind in ("", "authentication-", "authorization-")]
        place = (f"--bind-address={LOOPBACK}", f"--secure-port={port}", "--leader-elect=false", f"--cert-dir={layout.state}/{name}")
        argv = (f"{layout.bin}/{name}", *flags, *place, *more)
        return Daemon(name, argv, lambda: answers_http(f"https://{LOOPBACK}:{port}/healthz", unverified()))

    manager = (
        "--use-service-account-credentials",
        f"--service-account-private-key-file={layout.pki}/sa.key",
        f"--root-ca-file={layout.pki}/ca.crt",
        f"--cluster-signing-cert-file={layout.pki}/ca.crt",
        f"--cluster-signing-key-file={layout.pki}/ca.key",
        "--allocate-node-cidrs=true",
        f"--cluster-cidr={layout.pods}",
        "--node-cidr-mask-size=18",
        # A rehearsal should see the autoscaler act within a minute.
        "--horizontal-pod-autoscaler-sync-period=5s",
        "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
        "--horizontal-pod-autoscaler-cpu-initialization-period=15s",
    )
    return [
        control("kube-controller-manager", 10257, *manager),
        control("kube-scheduler", 10259),
        _node(layout),
        _services(layout),
    ]


def policies(layout: Layout) -> Daemon:
    """What enforces NetworkPolicies; it ends at once where the node is not known yet."""
    argv = (
        f"{layout.bin}/kube-router",
        f"--kubeconfig={layout.conf}/kube-router.kubeconfig",
        f"--hostname-override={NODE}",
        f"--service-cluster-ip-range={layout.services}",
        "--iptables-sync-period=30s",
        f"--health-port={POLICY_HEALTH_PORT}",
        "--metrics-port=0",
    )
    return Daemon("kube-router", argv, lambda: answers_http(f"http://127.0.0.1:{POLICY_HEALTH_PORT}/healthz"), {"NODE_NAME": NODE})


def administrator(layout: Layout) -> ssl.SSLContext:
    """TLS as the testbed's administrator."""
    context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
    context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
    return context


def _node(layout: Layout) -> Daemon:
    argv = (
        f"{layout.bin}/kubelet",
        f"--config={layout.conf}/kubelet.json",
        f"--kubeconfig={layout.conf}/kubelet.kubeconfig",
        f"--root-dir={layout.state}/kubelet",
        f"--cert-dir={layout.state}/kubelet/pki",
        f"--hostname-override={NODE}",
        f"--node-ip={layout.node_address}",
    )
    return Daemon("kubelet", argv, lambda: _node_is_ready(layout))


def _services(layout: Layout) -> Daemon:
    argv = (
        f"{layout.bin}/kube-proxy",
        f"--kubeconfig={layout.conf}/kube-proxy.kubeconfig",
        "--proxy-mode=iptables",
        f"--hostname-override={NODE}",
        f"--cluster-cidr={layout.pods}",
        "--conntrack-max-per-core=0",
        "--conntrack-min=0",
        f"--metrics-bind-address={LOOPBACK}:10249",
        f"--healthz-bind-address={LOOPBACK}:10256",
    )
    return Daemon("kube-proxy", argv, lambda: answers_http(f"http://{LOOPBACK}:10256/healthz"))


def _node_is_ready(layout: Layout) -> bool:
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=administrator(layout)))
    url = f"https://{layout.node_address}:{API_PORT}/api/v1/nodes/{NODE}"
    with urllib.request.build_opener(*handlers).open(url, timeout=5) as answer:
        conditions = json.load(answer)["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


# ---- settings

AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "None", "verbs": ["get", "list", "watch"]}, {"level": "Metadata"}],
}


def _containerd(layout: Layout) -> str:
    return f"""version = 3
root = "{layout.state}/containerd/root"
state = "{layout.state}/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.nri", "io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "{layout.containerd_socket}"

[plugins.'io.containerd.internal.v1.opt']
  path = "{layout.state}/containerd/opt"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "{PAUSE}"

[plugins.'io.containerd.cri.v1.images'.registry]
  config_path = "{layout.conf}/certs.d"

[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true  # a negative oom_score_adj needs CAP_SYS_RESOURCE, which root may lack
  netns_mounts_under_state_dir = true  # so that the clean-up finds every mount below the state folder

[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{fetch.folder(layout, "forky")}/usr/lib/cni"]
  conf_dir = "{layout.conf}/cni"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = "{layout.bin}/runc"
  SystemdCgroup = false
"""


def _pod_network(layout: Layout, mtu: int) -> dict[str, object]:
    addresses = {
        "type": "host-local",
        "dataDir": f"{layout.state}/cni",
        "ranges": [[{"subnet": layout.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    # No ipMasq: one rule of ours does it for the whole network (tables.settings).
    bridge = {
        "type": "bridge",
        "bridge": POD_BRIDGE,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "mtu": mtu,
        "ipam": addresses,
    }
    return {
        "cniVersion": "1.0.0",
        "name": "nextai-testbed",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def _kubelet(layout: Layout) -> dict[str, object]:
    authority = str(layout.pki / "ca.crt")
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": layout.node_address,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": authority}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.pki / "kubelet-serving.crt"),
        "tlsPrivateKeyFile": str(layout.pki / "kubelet-serving.key"),
        "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": True,  # without it the eviction manager does not work
        "failSwapOn": False,
        "clusterDNS": [layout.dns_address],
        "clusterDomain": "cluster.local",
        "resolvConf": _resolv_conf(),
        "podLogsDir": f"{layout.state}/pod-logs",
        "volumePluginDir": f"{layout.state}/kubelet-plugins",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 200,
        "serializeImagePulls": False,
        "shutdownGracePeriod": "0s",
        "syncFrequency": "10s",
    }


def _resolv_conf() -> str:
    """Name servers that a pod can reach: systemd-resolved listens on the loopback only, and keeps the real ones in another file."""
    real = Path("/run/systemd/resolve/resolv.conf")
    return str(real) if real.exists() else "/etc/resolv.conf"
