"""The catalogue tells every mistake at once, with its line and what was expected."""

import json
import os
import time
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml

from ops import catalog
from ops.catalog import document, forms
from ops.catalog.schema import schema
from ops.config import contract
from ops.errors import UsageError
from ops.verbs import sync
from tests.unit.small_catalogue import GOOD, SYNCED, checkout, mistakes

ROOT = Path(__file__).parents[2]


def test_a_good_catalogue_becomes_values(tmp_path: Path) -> None:
    loaded = catalog.load(checkout(tmp_path, GOOD))
    assert loaded.services["a"].stack.dockerfile == "go.Dockerfile"
    assert loaded.repository("a") == "registry.example/demo/a"
    assert [v.name for v in loaded.variables_of("a")] == ["PORT", "B_URL", "KEY"]
    assert [v.name for v in loaded.variables_of("b")] == ["PORT"]
    assert list(loaded.images) == ["a", "b", "j"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "port: 8002, localPort: 18002",
            "port: 8001, localPort: 18002",
            "platform.yaml:8: services.b.port: 8001 is the port of a already (line 7)",
        ),
        ("localPort: 15432", "localPort: 18001", "platform.yaml:12: stores.db.localPort: 18001 is the port of a already (line 7)"),
        ("dockerfile: go.Dockerfile", "dockerfile: gone", "platform.yaml:5: stacks.go.dockerfile: the Dockerfile gone does not exist"),
        (
            "dockerfile: go.Dockerfile",
            "dockerfile: ../x",
            "expected a path from the checkout's root, without .. and without / at its beginning, not '../x' (Dockerfile of every image",
        ),
        ("port: 8002,", "port: 8002, needs: [a],", "a dependency loop: a → b → a"),
        (
            "needs: [b, db]",
            "needs: [db]",
            "platform.yaml:8: services.b.routes: nothing sends anybody there: expected a service that needs b and reads B_URL",
        ),
        (
            "readers: [a], description: Where b is",
            "readers: [b], description: Where b is",
            "expected a service that needs b and reads B_URL",
        ),
        (
            "namespace: n, routes: [{prefix: /b}]}\njobs:\n  j: {stack: go, path: a, namespace: n}",
            "namespace: n, migrations: true}\njobs:\n  j: {stack: go, path: a, namespace: n, needs: [b]}",
            "platform.yaml:10: jobs.j.needs: a dependency loop: b → j → b",
        ),
        ("needs: [b, db]", "needs: [b, dv]", "platform.yaml:7: services.a.needs.1: unknown service or store 'dv'"),
        ("stack: go, path: b", "stack: goo, path: b", "unknown stack 'goo'; expected one of go"),
        ("port: 8001,", "port: 80010,", "expected a number from 1 to 65535, not 80010"),
        ("port: 8001,", 'port: "8001",', "expected a whole number, not '8001'"),
        ("path: a, port", "pat: a, port", "unknown key (did you mean path?)"),
        ("path: b, port", "port", "path is missing: The service's folder"),
        ("readers: [a], description: A key", "readers: [a, c], description: A key", "unknown service, job or store 'c'"),
        ("secret: true, readers", "secret: true, default: x, readers", "a required variable has no default"),
        ("  KEY:", "  key:", "variables.key: expected a name of upper-case letters, digits and _, a letter first"),
        ("namespaces: [n]", "namespaces: [n, 7]", "expected text, not '7' (put it in quotes)"),
        ("kind: local", "kind: lokal", "expected one of local, kubernetes (did you mean local?), not 'lokal'"),
        ("overlay: o, ", "", "overlay is missing: a kubernetes environment has one"),
        ("  b: {", "  a: {", "a is here twice, first on line 7"),
        ("stacks:\n", "stacks:\n\t", "platform.yaml:5: a tab in the indentation; YAML wants spaces"),
        ("services:\n", "services: [\n", "not YAML"),
        (
            'image: "postgres:17"',
            "image: postgres",
            "expected an image with its version: NAME:TAG, or NAME:TAG@sha256:DIGEST, not 'postgres'",
        ),
        ("user: 1001}", "user: 1001, bases: {GO_IMAGE: golang}}", "stacks.go.bases.GO_IMAGE: expected an image with its version"),
        ("job: j}", "job: k}", "unknown job 'k'"),
        ("registry: registry.example", "registry: HTTPS://registry.example", "expected a host in lower case, or HOST:PORT"),
        ("registry: registry.example", 'registry: "registry.example\\n"', "expected a host in lower case"),
        ("domain: s.example", "domain: s example", "expected a host name in lower case, such as app.example.com"),
        ("namespace: n, needs: [b, db],", "namespace: n, needs: [b, db], replicas: {staging: -1},", "expected a number from 0, not -1"),
        ("port: 8001,", "port: 08001,", "expected a whole number, not '08001'"),
        ("prefix: demo", "prefix: demo\n[a]: b", "platform.yaml:4: expected a name in front of the colon, not a list"),
        ("prefix: demo", "prefix: de\x1bmo", "platform.yaml:3: the character U+001B is not allowed in YAML"),
        (
            "variables:\n",
            "  other: {kind: kubernetes, domain: o.example, overlay: o, cluster: {context: x, server: 'https://s'}}\nvariables:\n",
            "environments.other.cluster.server: https://s is that of staging already (line 17): the two would overwrite each other",
        ),
        (
            "variables:\n",
            "  other: {kind: kubernetes, domain: o.example, overlay: o, cluster: {context: s, server: 'https://o'}}\nvariables:\n",
            "environments.other.cluster.context: s is that of staging already (line 17)",
        ),
        ("{type: port, readers: all", '{type: port, local: "{dv.port}", readers: all', "{dv.port}: unknown service or store 'dv'"),
        (
            "{type: port, readers: all",
            '{type: port, local: "{db.prot}", readers: all',
            "unknown {db.prot}; expected one of {db.port}, {db.host}",
        ),
        ("{type: port, readers: all", '{type: port, local: "{db.url}", readers: all', "'{db.url}' must be a port number"),
        ("nodes: linux/amd64", "nodes: linux/arm/v7/x", "Platform of the clusters' nodes, OS/ARCH[/VARIANT]"),
        (
            "{type: port, readers: all",
            "{type: duration, default: 7 days, readers: all",
            "'7 days' must be a duration such as 15m, 12h or 7d",
        ),
        ("port: 8002,", "port: 8002, maxReplicas: 0,", "platform.yaml:8: services.b.maxReplicas: expected a number from 1, not 0"),
        (
            "port: 8002,",
            "port: 8002, replicas: {staging: 7},",
            "platform.yaml:8: services.b.replicas.staging: 7 replicas are more than the 6 of maxReplicas",
        ),
        (
            "port: 8002,",
            "port: 8002, maxReplicas: 2, replicas: {staging: 3},",
            "platform.yaml:8: services.b.replicas.staging: 3 replicas are more than the 2 of maxReplicas",
        ),
        (
            "port: 8002,",
            "port: 8002, resources: {requests: {cpu: 1.5}},",
            "platform.yaml:8: services.b.resources.requests.cpu: expected text, not '1.5' (put it in quotes)",
        ),
        (
            "port: 8002,",
            "port: 8002, resources: {limits: {memory: 1G}},",
            "services.b.resources.limits.memory: expected a whole number of Mi or Gi, such as 512Mi, not '1G'",
        ),
        (
            "port: 8002,",
            "port: 8002, resources: {requests: {memory: 1Gi}},",
            "platform.yaml:8: services.b.resources.requests.memory: b requests 1Gi of memory, more than its limit of 512Mi",
        ),
        (
            "user: 1001}",
            "user: 1001, resources: {limits: {cpu: 100m}}}",
            "platform.yaml:5: stacks.go.resources.limits.cpu: a requests 250m of cpu, more than its limit of 100m",
        ),
        ("port: 8002,", "port: 8002, component: Back end,", "services.b.component: expected a name of lower-case letters, digits and -"),
        ("{prefix: /b}", "{prefix: /b, stream: 1}", "services.b.routes.0.stream: expected true or false, not '1'"),
        (
            "port: 8002,",
            "port: 8002, ingress: {host: page},",
            "platform.yaml:8: services.b.ingress.host: expected one of domain, api, not 'page'",
        ),
        (
            "port: 8002,",
            "port: 8002, ingress: {host: domain},",
            "platform.yaml:8: services.b.ingress: ingressController is missing: its namespace",
        ),
        (
            "port: 8002,",
            "port: 8002, ingress: {host: api},",
            "platform.yaml:17: environments.staging: api is missing: the Ingress sends it to b",
        ),
        (
            "port: 8001, localPort: 18001, namespace: n,",
            "port: 8001, localPort: 18001, namespace: n, ingress: {host: domain}}\n  c: {stack: go, path: a, port: 8003, localPort: 18003,"
            " namespace: n, ingress: {host: domain, path: /},",
            "platform.yaml:8: services.c.ingress: the Ingress sends domain / to a",
        ),
        (
            "{type: port, readers: all",
            "{type: port, environments: {stagin: '1'}, readers: all",
            "platform.yaml:19: variables.PORT.environments.stagin: 'stagin' is no environment with a cluster",
        ),
        ("{type: port, readers: all", "{type: port, environments: {local: '1'}, readers: all", "'local' is no environment with a cluster"),
        (
            "{type: port, readers: all",
            "{type: port, environments: {staging: '0'}, readers: all",
            "platform.yaml:19: variables.PORT.environments.staging: '0' must be a port number, 1 to 65535",
        ),
        (
            "{type: port, readers: all",
            '{environments: {staging: "a\\nB=c"}, readers: all',
            "platform.yaml:19: variables.PORT.environments.staging: has more than one line",
        ),
        (
            "secret: true, readers",
            "secret: true, environments: {staging: x}, readers",
            "variables.KEY: a secret has no value in this file",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_was_expected(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in GOOD
    assert expected in mistakes(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize("image", ["postgres:17", "localhost:5000/postgres:17", f"mirror.example:5000/a/b:17@sha256:{'0' * 64}"])
def test_an_image_may_come_from_a_registry_with_a_port(tmp_path: Path, image: str) -> None:
    assert catalog.load(checkout(tmp_path, GOOD.replace("postgres:17", image))).stores["db"].image == image


def test_what_every_pattern_asks_for_is_said_in_words() -> None:
    entries = [entry for entry in vars(document).values() if is_dataclass(entry)]
    metadata = [field.metadata for entry in entries for field in fields(entry)]
    assert {str(found[key]) for found in metadata for key in ("pattern", "names") if key in found} == set(forms.FORMS)


EVERYTHING_WRONG = """\
platform: demo
registry: registry.example
prefix: demo
stacks:
  go: {dockerfile: gone, test: go, user: 1001}
services:
  a: {stack: goo, path: a, port: "8001", localPort: 18001, namespace: n, needs: [b, x], colour: red}
  b: {stack: go, path: b, port: 8002, localPort: 18001, needs: [a], routes: [{prefix: b}, {prefix: /b}]}
  c: {stack: go, path: c, port: 8002, localPort: 18003, namespace: m, routes: [{prefix: /b}]}
stores:
  db: {image: postgres, port: 8002, localPort: 15432, namespace: n, data: /data}
namespaces: [n]
database: {store: db, name: x, user: x, migrations: m, job: j}
environments:
  local: {kind: local, domain: 1}
  staging: {kind: kubernetes, overlay: o}
variables:
  KEY: {required: "yes", secret: true, local: x, readers: [a, z]}
nodes: amd64
"""


def test_mistakes_of_shape_and_contradictions_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    told = mistakes(tmp_path, EVERYTHING_WRONG).splitlines()
    lines = [int(line.split(":")[1]) for line in told]
    assert lines == sorted(lines)
    expected = [
        (5, "stacks.go.dockerfile: the Dockerfile gone does not exist"),
        (5, "stacks.go.test: expected a list, not 'go'"),
        (7, "services.a.colour: unknown key"),
        (7, "services.a.needs.1: unknown service or store 'x'; expected one of a, b, c, db"),
        (7, "services.a.port: expected a whole number, not '8001'"),
        (7, "services.a.stack: unknown stack 'goo'; expected one of go"),
        (8, "services.b.localPort: 18001 is the port of a already (line 7)"),
        (8, "services.b.needs: a dependency loop: a → b → a"),
        (8, "services.b.routes.0.prefix: expected a path such as /users"),
        (8, "services.b: namespace is missing"),
        (9, "services.c.namespace: unknown namespace 'm'; expected one of n"),
        (9, "services.c.path: the folder c does not exist"),
        (9, "services.c.port: 8002 is the port of b already (line 8)"),
        (9, "services.c.routes.0: /b is routed to b"),
        (11, "stores.db.image: expected an image with its version"),
        (11, "stores.db.port: 8002 is the port of b already (line 8)"),
        (13, "database.job: unknown job 'j'"),
        (15, "environments.local.domain: expected text, not '1'"),
        (16, "environments.staging: cluster is missing: a kubernetes environment has one"),
        (16, "environments.staging: domain is missing"),
        (18, "variables.KEY.readers.1: unknown service, job or store 'z'"),
        (18, "variables.KEY.required: expected true or false"),
        (18, "variables.KEY: a secret has no value in this file"),
        (18, "variables.KEY: description is missing"),
        (19, "nodes: expected OS/ARCH or OS/ARCH/VARIANT, such as linux/amd64, not 'amd64'"),
    ]
    assert len(told) == len(expected)
    for line, (number, words) in zip(told, expected, strict=True):
        assert line.startswith(f"platform.yaml:{number}: {words}")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  b: {stack: go,", "  b: {stack: 7,", "services.b.stack: expected text, not '7'"),  # a needs b, B_URL is read by a
        ("  b: {", "  B: {", "services.B: expected a name of lower-case letters"),
        ("services:\n", "servises:\n", "services is missing|unknown key (did you mean services?)"),
        ("jobs:\n", "jbos:\n", "unknown key (did you mean jobs?)"),
        ("stacks:\n  go: {dockerfile: go.Dockerfile, test: [go, test], user: 1001}", "stacks: go", "stacks: expected a mapping"),
        ("stacks:\n  go: {dockerfile: go.Dockerfile, test: [go, test], user: 1001}\n", "", "stacks is missing"),
        ("namespaces: [n]", "namespaces: n", "namespaces: expected a list, not 'n'"),
        ("namespaces: [n]", "namespaces: [[n]]", "namespaces.0: expected text, not a list"),
        ("port: 8002", "port: 80020", "services.b.port: expected a number from 1 to 65535, not 80020"),
        ("needs: [b, db]", "needs: b", "services.a.needs: expected a list, not 'b'"),
        ("overlay: o", "overly: o", "unknown key (did you mean overlay?)"),
        ("overlay: o", "overlay: /o", "environments.staging.overlay: expected a path from the checkout's root"),
        ("cluster: {context: s, ", "cluster: {", "environments.staging.cluster: context is missing"),
        ("kind: kubernetes, domain: s.example, overlay: o", "kind: k8s, domain: s.example", "environments.staging.kind: expected one of"),
        ("readers: [a], description: A key", "reader: [a], description: A key", "unknown key (did you mean readers?)"),
        ("readers: [a], description: A key", "readers: [7], description: A key", "variables.KEY.readers.0: expected text, not '7'"),
        ("type: port, readers: all", "type: enum, values: x, readers: all", "variables.PORT.values: expected a list, not 'x'"),
        ("type: port, readers: all", "type: enun, values: [x], readers: all", "variables.PORT.type: expected one of"),
        ("job: j}", "job: [j]}", "database.job: expected text, not a list"),
        ("database: {", "database: {smoke: x, ", "database.smoke: unknown key"),
    ],
)
def test_a_wrong_entry_is_told_once_and_makes_no_mistakes_elsewhere(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    found = sorted(mistakes(tmp_path, GOOD.replace(old, new, 1)).splitlines())
    assert len(found) == len(told.split("|")), found
    assert all(words in line for words, line in zip(told.split("|"), found, strict=True)), found


def test_an_empty_or_missing_file_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    assert "empty" in mistakes(tmp_path, "")
    (tmp_path / "platform.yaml").unlink()
    with pytest.raises(UsageError, match="reading"):
        catalog.load(tmp_path)


def test_a_pipe_is_no_file_to_wait_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "platform.yaml")
    with pytest.raises(UsageError, match="a pipe, not a file"):
        catalog.load(tmp_path)


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    checkout(tmp_path, GOOD)
    (tmp_path / "platform.yaml").write_bytes(b"# one\n# zw\xf6lf\n")
    with pytest.raises(UsageError, match=r"platform\.yaml:2: not UTF-8: .*0xf6") as told:
        catalog.load(tmp_path)
    assert told.value.remedy.startswith("Correct platform.yaml")


def test_a_service_is_added_by_folder_manifest_and_entry_alone(tmp_path: Path) -> None:
    text = GOOD.replace("  b: {", "  c: {stack: go, path: c, port: 8003, localPort: 18003, namespace: n}\n  b: {")
    (tmp_path / "c").mkdir()
    loaded = catalog.load(checkout(tmp_path, text))
    assert "c" in loaded.images and Path("c/contract.json") in contract.derived(loaded)


def test_the_contract_carries_the_routes_of_the_services_whose_url_is_read(tmp_path: Path) -> None:
    loaded = catalog.load(checkout(tmp_path, GOOD))
    made = contract.contract(loaded, loaded.services["a"])
    assert made["routes"] == [{"prefix": "/api/b", "service": "b", "url": "B_URL", "strip": "/api", "public": False, "stream": False}]
    port = next(v for v in made["variables"] if v["name"] == "PORT")  # type: ignore[attr-defined]
    assert port["default"] == "8001"
    assert contract.contract(loaded, loaded.services["b"])["routes"] == []
    streams = catalog.load(checkout(tmp_path, GOOD.replace("{prefix: /b}", "{prefix: /b, stream: true}")))
    assert contract.contract(streams, streams.services["a"])["routes"][0]["stream"] is True  # type: ignore[index]


def test_who_needs_a_service_is_told_where_it_is_without_an_entry(tmp_path: Path) -> None:
    bare = "".join(line for line in GOOD.splitlines(keepends=True) if not line.strip().startswith("B_URL:"))
    loaded = catalog.load(checkout(tmp_path, bare))
    (url,) = (variable for variable in loaded.variables_of("a") if variable.name == "B_URL")
    assert (url.readers, url.type, url.required, url.secret) == (("a",), "url", True, False)
    assert "A_URL" not in loaded.variables  # nobody needs it
    assert [route["url"] for route in contract.contract(loaded, loaded.services["a"])["routes"]] == ["B_URL"]  # type: ignore[attr-defined]
    assert mistakes(tmp_path, bare.replace("needs: [b, db]", "needs: [db]")) == (
        "platform.yaml:8: services.b.routes: nothing sends anybody there: expected a service that needs b"
    )
    asks = bare.replace("j: {stack: go, path: a, namespace: n}", "j: {stack: go, path: a, namespace: n, needs: [b]}")
    job = catalog.load(checkout(tmp_path, asks))
    assert job.variables["B_URL"].readers == ("a", "j")
    own = GOOD.replace("description: Where b is}", "description: Ours}")
    assert catalog.load(checkout(tmp_path, own)).variables["B_URL"].description == "Ours"


GATEWAY = GOOD.replace("needs: [b, db]", "needs: [db]") + "gateway: a\n"


def test_the_gateway_needs_each_service_with_routes(tmp_path: Path) -> None:
    loaded = catalog.load(checkout(tmp_path, GATEWAY))
    assert loaded.services["a"].needs == ("db", "b")
    assert catalog.load(checkout(tmp_path, GATEWAY.replace("needs: [db]", "needs: [b, db]"))).services["a"].needs == ("b", "db")
    assert catalog.load(checkout(tmp_path, GATEWAY.replace("routes: [{prefix: /b}]", "routes: []"))).services["a"].needs == ("db",)
    loop = GATEWAY.replace("routes: [{prefix: /b}]", "needs: [a], routes: [{prefix: /b}]")
    assert mistakes(tmp_path, loop) == "platform.yaml:8: services.b.needs: a dependency loop: a → b → a"
    assert mistakes(tmp_path, GATEWAY.replace("gateway: a", "gateway: c")) == (
        "platform.yaml:23: gateway: unknown service 'c'; expected one of a, b"
    )


def test_resources_are_the_services_over_the_stacks_over_the_platforms(tmp_path: Path) -> None:
    stack = "user: 1001, resources: {requests: {memory: 300Mi}, limits: {memory: 2Gi}}}"
    own = "port: 8002, maxReplicas: 9, component: x, resources: {requests: {memory: 1Gi, cpu: '1'}},"
    loaded = catalog.load(checkout(tmp_path, GOOD.replace("user: 1001}", stack).replace("port: 8002,", own)))
    a, b = loaded.services["a"], loaded.services["b"]
    assert (a.resources.requests, a.resources.limits) == ({"cpu": "250m", "memory": "300Mi"}, {"cpu": "1", "memory": "2Gi"})
    assert (b.resources.requests, b.resources.limits) == ({"cpu": "1", "memory": "1Gi"}, {"cpu": "1", "memory": "2Gi"})
    assert (a.max_replicas, a.component, b.max_replicas, b.component) == (6, "backend", 9, "x")


def test_sync_writes_what_is_stale_and_then_nothing(tmp_path: Path) -> None:
    loaded = catalog.load(checkout(tmp_path, SYNCED))
    assert set(sync.write(loaded)) == set(sync.derived(loaded))
    assert sync.write(loaded) == []
    (tmp_path / "a" / "contract.json").write_text("{}")
    assert sync.stale(loaded) == [Path("a/contract.json")]
    (tmp_path / "a" / "contract.json").write_bytes(b"\xff")
    assert sync.write(loaded) == [Path("a/contract.json")]


def test_sync_removes_what_it_wrote_for_a_service_that_is_gone_and_nothing_that_is_by_hand(tmp_path: Path) -> None:
    sync.write(catalog.load(checkout(tmp_path, SYNCED)))
    by_hand = tmp_path / "k8s/base/b/patch.yaml"
    by_hand.write_text("# by hand\n")
    gone = SYNCED.replace("needs: [b, postgres]", "needs: [postgres]")
    gone = "".join(line for line in gone.splitlines(keepends=True) if not line.strip().startswith(("b:", "B_URL:")))
    loaded = catalog.load(checkout(tmp_path, gone))
    left = {Path("k8s/base/b") / name for name in ("derived.yaml", "kustomization.yaml")} | {Path("o/derived/b.env")}
    assert left <= set(sync.stale(loaded))
    sync.write(loaded)
    assert not any((tmp_path / path).exists() for path in left) and by_hand.exists()
    assert sync.stale(loaded) == []


def test_the_schema_accepts_the_real_catalogue_and_refuses_an_unknown_key() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = yaml.safe_load((ROOT / "platform.yaml").read_text())
    jsonschema.validate(document, json.loads(json.dumps(schema())))
    document["services"]["web"]["colour"] = "red"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json.loads(json.dumps(schema())))


def test_the_real_catalogue_loads_and_its_derived_files_are_up_to_date() -> None:
    assert sync.stale(catalog.load(ROOT)) == []


def test_fifty_services_load_without_waiting(tmp_path: Path) -> None:
    """A guard against quadratic work: the figure itself is measured by the benchmarks."""
    entries = "".join(
        f"  s{i}: {{stack: go, path: a, port: {20000 + i}, localPort: {30000 + i}, namespace: n, needs: [b]}}\n" for i in range(50)
    )
    checkout(tmp_path, GOOD.replace("services:\n", "services:\n" + entries))
    begin = time.perf_counter()
    assert len(catalog.load(tmp_path).services) == 52
    assert time.perf_counter() - begin < 5
