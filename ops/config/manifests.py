"""The check of rendered manifests against the catalogue. Pure: objects in, problems out.

One rule is one function from `Scene` to problems, and `RULES` at the end lists them. A problem is one line
that begins with the file to open.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ops.catalog import Catalog, Environment, Image, Service, Store, Variable
from ops.config.objects import (
    PODS,
    Object,
    containers,
    items,
    main_container,
    mapping,
    name_of,
    namespace_of,
    owner,
    pod_labels,
    pod_spec,
    port_names,
    resolve,
    strings,
    text,
)

FILES = {"HorizontalPodAutoscaler": "hpa.yaml", "PodDisruptionBudget": "pdb.yaml", "ClusterIssuer": "cluster-issuer.yaml"}
CAPABILITIES_ALLOWED = {"NET_BIND_SERVICE"}  # by Pod Security "restricted"
LOGIN = "registry"  # the Secret with the login at the platform's own registry
# cert-manager answers Let's Encrypt from a pod of its own in the Ingress's namespace: https://cert-manager.io/docs/configuration/acme/http01/
CERT_MANAGER = "cert-manager"
SOLVER_LABELS = {"acme.cert-manager.io/http01-solver": "true"}
SOLVER_PORT = 8089


def problems(catalog: Catalog, environment: Environment, objects: Iterable[Object]) -> list[str]:
    """Everything in which one environment's rendered objects disagree with the catalogue, each as `FILE: what`."""
    scene = Scene(catalog, environment, tuple(objects))
    return list(dict.fromkeys(problem for rule in RULES for problem in rule(scene)))


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules look at."""

    catalog: Catalog
    environment: Environment
    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        return (thing for thing in self.objects if thing.get("kind") in kinds)

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """The one object of this kind and name, or None."""
        return next((o for o in self.of(kind) if name_of(o) == name and namespace_of(o) == namespace), None)

    def workload(self, image: Image | Store) -> Object | None:
        """What runs a service, job or store: the workload that bears its name, in whatever namespace."""
        return next((o for o in self.of(*PODS) if owner(o) == image.name), None)

    @property
    def runs(self) -> dict[str, Image | Store]:
        """Everything in the catalogue that runs in a cluster, by name."""
        return {**self.catalog.images, **self.catalog.stores}

    def says(self, thing: Object, what: str) -> str:
        """A problem of an object, with the file that the object came from."""
        return f"{self.file(thing)}: {thing.get('kind')} {name_of(thing)} {what}"

    def file(self, thing: Object) -> str:
        """Where an object is written: by kind and owner, since kustomize does not tell."""
        kind, name = str(thing.get("kind")), owner(thing)
        if kind == "Namespace":
            return "k8s/base/namespaces.yaml"
        if kind == "ConfigMap":
            return f"{self.environment.overlay}/{name}.env"
        folder = f"k8s/base/stores/{name}" if name in self.catalog.stores else f"k8s/base/{name}"
        if name not in self.runs:
            folder = f"k8s/base/{name if name == CERT_MANAGER else kind.lower()}"
        return f"{folder}/{FILES.get(kind, f'{kind.lower()}.yaml')}"


# ---------------------------------------------------------------- what runs


def workloads(scene: Scene) -> Iterator[str]:
    """Each service, job and store has one workload, in its namespace, from its image; and there is no other."""
    for name, image in scene.runs.items():
        workload = scene.workload(image)
        if workload is None:
            folder = "stores/" if name in scene.catalog.stores else ""
            yield f"k8s/base/{folder}{name}: {name} is in platform.yaml, and no workload of {scene.environment.name} runs it"
            continue
        if namespace_of(workload) != image.namespace:
            yield scene.says(workload, f"is in namespace {namespace_of(workload)}; platform.yaml says {image.namespace}")
        expected = image.image if isinstance(image, Store) else scene.catalog.repository(name)
        used = [text(c, "image") for c in containers(workload)]
        if not any(reference.partition("@")[0] == expected for reference in used):
            yield scene.says(workload, f"runs {', '.join(used)}; platform.yaml says {expected}")
    for workload in scene.of(*PODS):
        if owner(workload) not in scene.runs:
            yield scene.says(workload, "is no service, job or store of platform.yaml")


def images(scene: Scene) -> Iterator[str]:
    """Every image reference, wherever it stands, is a store's image, or one of ours without a tag."""
    ours = {scene.catalog.repository(name) for name in scene.catalog.images}
    stores = {store.image for store in scene.catalog.stores.values()}
    for thing in scene.objects:
        if thing.get("kind") in {"ConfigMap", "Secret"}:
            continue
        for reference in references(thing):
            name, _, digest = reference.partition("@")
            untagged = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
            if digest and not digest.startswith("sha256:"):
                yield scene.says(thing, f"names the image {reference}, whose digest is no sha256")
            elif name != untagged and untagged in ours:
                yield scene.says(thing, f"names a tag in {reference}; write {untagged}, the deploy puts the digest in")
            elif name not in ours | stores:
                yield scene.says(thing, f"names the image {reference}, which platform.yaml has neither as an image nor as a store")


def references(value: object) -> Iterator[str]:
    """Every image reference below a value: `image: REF`, and an image volume's `image: {reference: REF}`."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "image" and isinstance(inner, str):
                yield inner
            elif key == "image" and isinstance(inner, Mapping) and "reference" in inner:
                yield str(inner["reference"])
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def namespaces(scene: Scene) -> Iterator[str]:
    """The catalogue's namespaces are there and enforce Pod Security "restricted"; every object is in one of them."""
    known = {name_of(o): o for o in scene.of("Namespace")}
    for name in scene.catalog.namespaces:
        if name not in known:
            yield f"k8s/base/namespaces.yaml: Namespace {name} is missing"
    for name, thing in known.items():
        if name not in scene.catalog.namespaces:
            yield scene.says(thing, "is not in platform.yaml")
        label = "pod-security.kubernetes.io/enforce"
        if text(thing, "metadata", "labels", label) != "restricted":
            yield scene.says(thing, f"has no label {label}: restricted")
    for thing in scene.objects:
        place = text(thing, "metadata", "namespace")
        if place and place not in scene.catalog.namespaces:
            yield scene.says(thing, f"is in namespace {place}, which is not in platform.yaml")


# ---------------------------------------------------------------- ports, probes, replicas


def ports(scene: Scene) -> Iterator[str]:
    """Container, Service and catalogue agree on the port, and the Service selects the workload's pods."""
    for name, image in scene.runs.items():
        workload = scene.workload(image)
        if workload is None or not isinstance(image, Service | Store):
            continue
        if image.port not in port_names(workload).values():
            yield scene.says(workload, f"has no containerPort {image.port}, which is {name}'s port in platform.yaml")
        service = scene.find("Service", image.namespace, name)
        if service is None:
            yield f"{scene.file(workload).rpartition('/')[0]}/service.yaml: Service {name} is missing in namespace {image.namespace}"
            continue
        entry = next((p for p in items(service, "spec", "ports") if p.get("port") == image.port), None)
        if entry is None:
            yield scene.says(service, f"has no port {image.port}, which is {name}'s port in platform.yaml")
        elif resolve(workload, entry.get("targetPort", image.port)) != image.port:
            yield scene.says(service, f"sends to targetPort {entry.get('targetPort')}, which is not the container's port {image.port}")
        selector, labels = mapping(service, "spec", "selector"), pod_labels(workload)
        if not selector or any(labels.get(key) != value for key, value in selector.items()):
            yield scene.says(service, f"selects no pod of {name}: {dict(selector)}")


def probes(scene: Scene) -> Iterator[str]:
    """Readiness asks the catalogue's `ready`, liveness and startup ask `health`, all on the service's port."""
    for service in scene.catalog.services.values():
        workload = scene.workload(service)
        if workload is None:
            continue
        main = main_container(workload, service.name)
        for probe, path in (("readinessProbe", service.ready), ("livenessProbe", service.health), ("startupProbe", service.health)):
            if not mapping(main, probe):
                yield scene.says(workload, f"has no {probe}")
                continue
            asked = text(main, probe, "httpGet", "path")
            if asked != path:
                yield scene.says(workload, f"asks {asked or 'no path'} in its {probe}; platform.yaml says {path}")
            port = mapping(main, probe, "httpGet").get("port")
            if asked and resolve(workload, port) != service.port:
                yield scene.says(workload, f"asks port {port} in its {probe}; platform.yaml says {service.port}")


def replicas(scene: Scene) -> Iterator[str]:
    """The catalogue's replicas are the HPA's minimum; without an HPA they are the workload's own, never both."""
    overlay = f"{scene.environment.overlay}/kustomization.yaml"
    for service in scene.catalog.services.values():
        workload = scene.workload(service)
        if workload is None:
            continue
        wanted = service.replicas.get(scene.environment.name, 1)
        scaler = next((h for h in scene.of("HorizontalPodAutoscaler") if scales(h, workload)), None)
        own = mapping(workload, "spec").get("replicas")
        if scaler is None:
            if (1 if own is None else own) != wanted:
                yield f"{overlay}: {service.name} runs {own or 1} replicas; platform.yaml says {wanted}"
            continue
        if own is not None:
            yield scene.says(workload, f"sets replicas: {own}, which its HorizontalPodAutoscaler owns")
        least, most = mapping(scaler, "spec").get("minReplicas", 1), mapping(scaler, "spec").get("maxReplicas", 0)
        if least != wanted:
            yield f"{overlay}: HorizontalPodAutoscaler {name_of(scaler)} has minReplicas {least}; platform.yaml says {wanted}"
        if not (isinstance(least, int) and isinstance(most, int) and most >= least):
            yield f"{overlay}: HorizontalPodAutoscaler {name_of(scaler)} has maxReplicas {most}, less than minReplicas {least}"


def scales(scaler: Object, workload: Object) -> bool:
    """Whether an autoscaler's target is this workload."""
    target = mapping(scaler, "spec", "scaleTargetRef")
    return (target.get("kind"), target.get("name")) == (workload.get("kind"), name_of(workload)) and namespace_of(scaler) == namespace_of(
        workload
    )


# ---------------------------------------------------------------- the variable contract


@dataclass(frozen=True, slots=True)
class Given:
    """One variable that a container is given: from where, and its value where the manifests tell it."""

    name: str
    secret: bool
    value: str | None
    source: Object  # the object whose file to open


def variables(scene: Scene) -> Iterator[str]:
    """Each reader is given what it requires and nothing unknown; secrets by Secret, the rest never by Secret."""
    for name, image in scene.runs.items():
        workload = scene.workload(image)
        if workload is None:
            continue
        main = main_container(workload, name)
        contract = {variable.name: variable for variable in scene.catalog.variables_of(name)}
        yield from _sources(scene, workload, main, name, contract)
        given = list(_given(scene, workload, main, contract))
        # A store's image has settings of its own beside the contract's.
        known = given if name not in scene.catalog.stores else [g for g in given if g.secret or g.name in contract]
        for entry in known:
            yield from _disagrees(scene, entry, contract.get(entry.name), name)
        names = {entry.name for entry in given}
        for variable in contract.values():
            if variable.required and variable.name not in names:
                where = f"in Secret {name}-secrets" if variable.secret else f"in {scene.environment.overlay}/{name}.env"
                yield scene.says(workload, f"is not given {variable.name} ({variable.description}): it is required; put it {where}")


def _given(scene: Scene, workload: Object, container: Object, contract: Mapping[str, Variable]) -> Iterator[Given]:
    """What a container is given. A Secret that is not among the objects has, by convention, the reader's secret variables."""
    for source in items(container, "envFrom"):
        config = scene.find("ConfigMap", namespace_of(workload), text(source, "configMapRef", "name"))
        for name, value in mapping(config, "data").items():
            yield Given(name, False, str(value), config or workload)
        secret = scene.find("Secret", namespace_of(workload), text(source, "secretRef", "name"))
        if secret is not None:
            for name in {**mapping(secret, "data"), **mapping(secret, "stringData")}:
                yield Given(name, True, None, secret)
        elif "secretRef" in source:
            yield from (Given(v.name, True, None, workload) for v in contract.values() if v.secret)
    for entry in items(container, "env"):
        name = text(entry, "name")
        if mapping(entry, "valueFrom", "secretKeyRef"):
            yield Given(name, True, None, workload)
        else:
            yield Given(name, False, text(entry, "value") if "value" in entry else None, workload)


def _sources(scene: Scene, workload: Object, container: Object, name: str, contract: Mapping[str, Variable]) -> Iterator[str]:
    """ConfigMaps that are read exist; Secrets that are read are the reader's own, and have the key."""
    refs = [mapping(source, "configMapRef") for source in items(container, "envFrom")]
    refs += [mapping(entry, "valueFrom", "configMapKeyRef") for entry in items(container, "env")]
    for ref in filter(None, refs):
        if scene.find("ConfigMap", namespace_of(workload), text(ref, "name")) is None:
            yield scene.says(workload, f"reads ConfigMap {text(ref, 'name')}, which no manifest has")
    keys = [mapping(entry, "valueFrom", "secretKeyRef") for entry in items(container, "env")]
    for ref in filter(None, [*keys, *(mapping(source, "secretRef") for source in items(container, "envFrom"))]):
        if text(ref, "name") != f"{name}-secrets":
            yield scene.says(workload, f"reads Secret {text(ref, 'name')}; its own is {name}-secrets")
        key = text(ref, "key")
        if key and not (key in contract and contract[key].secret):
            yield scene.says(
                workload, f"reads key {key} of Secret {text(ref, 'name')}, which is no secret variable of {name} in platform.yaml"
            )


def _disagrees(scene: Scene, given: Given, variable: Variable | None, reader: str) -> Iterator[str]:
    if variable is None:
        yield scene.says(given.source, f"gives {reader} the variable {given.name}, which it does not read by platform.yaml")
    elif variable.secret and not given.secret:
        yield scene.says(given.source, f"gives {reader} the secret {given.name} in the open; it comes from Secret {reader}-secrets")
    elif given.secret and not variable.secret:
        yield scene.says(given.source, f"gives {reader} {given.name} by a Secret; it is no secret, and belongs in the ConfigMap")
    elif given.value is not None and (wrong := _wrong(variable, given.value)):
        yield scene.says(given.source, f"gives {reader} {given.name}={given.value}: {wrong}")


def _wrong(variable: Variable, value: str) -> str:
    """What is wrong with a value, or nothing. An empty value counts as missing."""
    if not value:
        return "is empty, and required" if variable.required else ""
    if variable.type == "enum" and value not in variable.values:
        return f"is none of {', '.join(variable.values)}"
    if variable.type in {"int", "port"} and not value.isdecimal():
        return "is no whole number"
    if variable.type == "port" and not 0 < int(value) < 65536:
        return "is no port"
    if variable.type == "url" and "://" not in value:
        return "is no URL"
    return ""


# ---------------------------------------------------------------- security


def accounts(scene: Scene) -> Iterator[str]:
    """Every pod has a ServiceAccount of its own, and no token; those that run our images have the registry's login."""
    for thing in scene.of("ServiceAccount"):
        if thing.get("automountServiceAccountToken") is not False:
            yield scene.says(thing, "has no automountServiceAccountToken: false")
    for workload in scene.of(*PODS):
        pod, account = pod_spec(workload), text(pod_spec(workload), "serviceAccountName")
        if pod.get("automountServiceAccountToken") is not False:
            yield scene.says(workload, "has no automountServiceAccountToken: false")
        own = scene.find("ServiceAccount", namespace_of(workload), account)
        if not account or own is None:
            yield scene.says(workload, f"runs as ServiceAccount {account or 'default'}, which no manifest has")
        elif isinstance(scene.runs.get(owner(workload)), Image) and LOGIN not in [text(s, "name") for s in items(own, "imagePullSecrets")]:
            yield f"k8s/components/registry/kustomization.yaml: ServiceAccount {account} has no imagePullSecrets with {LOGIN}"


def security(scene: Scene) -> Iterator[str]:
    """Pod Security "restricted", a read-only root file system, the stack's numeric user, and resources, for each container."""
    for workload in scene.of(*PODS):
        pod = pod_spec(workload)
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(name):
                yield scene.says(workload, f"uses {name}")
        for volume in items(pod, "volumes"):
            if "hostPath" in volume:
                yield scene.says(workload, f"mounts the node's {text(volume, 'hostPath', 'path')}")
        for container in containers(workload):
            for wrong in _insecure(mapping(pod, "securityContext"), container):
                yield scene.says(workload, f"{wrong} (container {text(container, 'name')})")
        image = scene.runs.get(owner(workload))
        user = mapping(pod, "securityContext").get("runAsUser")
        if isinstance(image, Image) and user != image.stack.user:
            yield scene.says(workload, f"runs as user {user}; platform.yaml says {image.stack.user} for the stack {image.stack.name}")


def _insecure(pod: Object, container: Object) -> Iterator[str]:
    own = mapping(container, "securityContext")
    both = {**pod, **own}
    if own.get("allowPrivilegeEscalation") is not False:
        yield "has no allowPrivilegeEscalation: false"
    if own.get("privileged"):
        yield "is privileged"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "has no readOnlyRootFilesystem: true"
    if both.get("runAsNonRoot") is not True:
        yield "has no runAsNonRoot: true"
    if not both.get("runAsUser"):
        yield "has no numeric runAsUser other than 0"
    if "ALL" not in strings(own, "capabilities", "drop"):
        yield "does not drop ALL capabilities"
    if added := set(strings(own, "capabilities", "add")) - CAPABILITIES_ALLOWED:
        yield f"adds the capabilities {', '.join(sorted(added))}"
    if text(both, "seccompProfile", "type") not in {"RuntimeDefault", "Localhost"}:
        yield "has no seccompProfile RuntimeDefault"
    if missing := {"cpu", "memory"} - set(mapping(container, "resources", "requests")):
        yield f"requests no {' and no '.join(sorted(missing))}"


def policies(scene: Scene) -> Iterator[str]:
    """A store lets in exactly those that need it by the catalogue, and every namespace denies by default."""
    for place in scene.catalog.namespaces:
        if not any(namespace_of(p) == place and not mapping(p, "spec", "podSelector") for p in scene.of("NetworkPolicy")):
            yield f"k8s/components/default-deny/networkpolicy.yaml: namespace {place} has no NetworkPolicy that denies by default"
    for store in scene.catalog.stores.values():
        wanted = {image.name for image in scene.catalog.images.values() if store.name in image.needs}
        policy = scene.find("NetworkPolicy", store.namespace, store.name)
        if policy is None:
            yield f"k8s/base/stores/{store.name}/networkpolicy.yaml: NetworkPolicy {store.name} is missing"
            continue
        peers = [peer for rule in items(policy, "spec", "ingress") for peer in items(rule, "from") or [{}]]
        allowed = {text(peer, "podSelector", "matchLabels", "app.kubernetes.io/name") or "everybody" for peer in peers}
        if lost := wanted - allowed:
            yield scene.says(policy, f"keeps out {', '.join(sorted(lost))}, which needs {store.name} by platform.yaml")
        if extra := allowed - wanted:
            yield scene.says(policy, f"lets in {', '.join(sorted(extra))}, which does not need {store.name} by platform.yaml")


def routes(scene: Scene) -> Iterator[str]:
    """The Ingress has the environment's two hosts, and sends to Services and ports that exist."""
    hosts = {host for host in (scene.environment.domain, scene.environment.api) if host}
    ingresses = list(scene.of("Ingress"))
    named = {text(rule, "host") for ingress in ingresses for rule in items(ingress, "spec", "rules")}
    for host in sorted(hosts ^ named):
        what = "no Ingress has the host" if host in hosts else "an Ingress has the unknown host"
        yield f"{scene.environment.overlay}/kustomization.yaml: {what} {host}"
    for ingress in ingresses:
        for rule in items(ingress, "spec", "rules"):
            for path in items(rule, "http", "paths"):
                backend = mapping(path, "backend", "service")
                service = scene.find("Service", namespace_of(ingress), text(backend, "name"))
                port = mapping(backend, "port")
                if not any(entry.items() & port.items() or entry.get("port") == port.get("number") for entry in _ports(service)):
                    yield scene.says(ingress, f"sends {text(rule, 'host')} to {text(backend, 'name')} {dict(port)}, which no Service has")


def certificates(scene: Scene) -> Iterator[str]:
    """The ClusterIssuer that an Ingress has its certificate from is there, and proves its hosts through the Ingress's class."""
    for ingress in scene.of("Ingress"):
        name = _issuer(ingress)
        issuer = next((i for i in scene.of("ClusterIssuer") if name_of(i) == name), None)
        if name and issuer is None:
            yield scene.says(ingress, f"has its certificate from ClusterIssuer {name}, which no manifest has")
        if issuer is not None:
            solvers = items(issuer, "spec", "acme", "solvers")
            classes = sorted({text(solver, "http01", "ingress", "ingressClassName") or "no class" for solver in solvers})
            wanted = text(ingress, "spec", "ingressClassName")
            if classes != [wanted]:
                yield scene.says(issuer, f"goes through {', '.join(classes) or 'no Ingress'}; Ingress {name_of(ingress)} is {wanted}'s")


def _issuer(ingress: Object) -> str:
    return text(ingress, "metadata", "annotations", "cert-manager.io/cluster-issuer")


def entrance(scene: Scene) -> Iterator[str]:
    """The ingress controller, in the one namespace where it is, reaches what an Ingress sends to, and cert-manager's solver."""
    controllers: set[str] = set()
    for ingress in scene.of("Ingress"):
        for name in _backends(ingress):
            image, place = scene.runs.get(name), namespace_of(ingress)
            workload = scene.workload(image) if isinstance(image, Service) else None
            if not isinstance(image, Service) or workload is None:
                continue
            if not (found := _strangers(scene, place, pod_labels(workload), image.port)):
                yield f"k8s/base/{name}/networkpolicy.yaml: no NetworkPolicy lets the ingress controller to {name}, port {image.port}"
            controllers |= found
        if _issuer(ingress):
            if not (found := _strangers(scene, namespace_of(ingress), SOLVER_LABELS, SOLVER_PORT)):
                where = f"k8s/base/{CERT_MANAGER}/networkpolicy.yaml"
                yield f"{where}: no NetworkPolicy lets the ingress controller to cert-manager's solver, port {SOLVER_PORT}"
            controllers |= found
    if len(controllers) > 1:
        yield f"k8s/base/kustomization.yaml: the ingress controller is in several namespaces: {', '.join(sorted(controllers))}"


def _backends(ingress: Object) -> list[str]:
    paths = [path for rule in items(ingress, "spec", "rules") for path in items(rule, "http", "paths")]
    return list(dict.fromkeys(text(path, "backend", "service", "name") for path in paths))


def _strangers(scene: Scene, place: str, labels: Object, port: int) -> set[str]:
    """The namespaces other than the platform's that reach a port of the pods with these labels."""
    policies = [p for p in scene.of("NetworkPolicy") if namespace_of(p) == place and _selects(mapping(p, "spec", "podSelector"), labels)]
    rules = [rule for policy in policies for rule in items(policy, "spec", "ingress")]
    peers = [p for rule in rules if any(e.get("port") == port for e in items(rule, "ports")) for p in items(rule, "from")]
    names = {text(peer, "namespaceSelector", "matchLabels", "kubernetes.io/metadata.name") for peer in peers}
    return names - {"", *scene.catalog.namespaces}


def _selects(selector: Object, labels: Object) -> bool:
    wanted = mapping(selector, "matchLabels")
    return set(selector) == {"matchLabels"} and all(labels.get(key) == value for key, value in wanted.items())


def _ports(service: Object | None) -> list[dict[str, object]]:
    return [{"name": entry.get("name"), "port": entry.get("port")} for entry in items(service, "spec", "ports")]


Rule = Callable[[Scene], Iterator[str]]
RULES: tuple[Rule, ...] = (
    *(workloads, images, namespaces),
    *(ports, probes, replicas, variables),
    *(accounts, security, policies),
    *(routes, certificates, entrance),
)
