"""The variables of every service on this machine, derived from the catalogue, so that no .env file is needed."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ops import stores
from ops.catalog import Catalog, Image, Store, Variable, url_variable
from ops.catalog.model import EMPTY
from ops.catalog.values import problem
from ops.errors import Failure, UsageError
from ops.folders import write_private
from ops.guess import did_you_mean
from ops.secret import Secret
from ops.stores import Access

OVERRIDES = ".env.local"
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store or service is reached by the others."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Setting:
    """What the derivation starts from. `addresses`: of stores and services, by name. `listen`: the address that services listen on."""

    addresses: Mapping[str, Address]
    secrets: Mapping[str, Secret]
    overrides: Mapping[str, Secret]
    listen: str


def page(catalog: Catalog) -> str:
    """The address that a person opens."""
    port = next((service.local_port for service in catalog.services.values() if service.page), 0)
    return f"http://localhost:{port}" if port else ""


def on_this_machine(catalog: Catalog) -> dict[str, Address]:
    """Addresses when everything is a process of this machine."""
    ports = {**{s.name: s.local_port for s in catalog.stores.values()}, **{s.name: s.local_port for s in catalog.services.values()}}
    return {name: Address("127.0.0.1", port) for name, port in ports.items()}


def in_containers(catalog: Catalog) -> dict[str, Address]:
    """Addresses when everything is a container in one network, named as in the catalogue."""
    ports = {**{s.name: s.port for s in catalog.stores.values()}, **{s.name: s.port for s in catalog.services.values()}}
    return {name: Address(name, port) for name, port in ports.items()}


def in_cluster(catalog: Catalog) -> dict[str, Address]:
    """Addresses inside the cluster: the Services of stores and services, by name and namespace."""
    known: dict[str, Image | Store] = {**catalog.stores, **catalog.services}
    ports = {**{n: s.port for n, s in catalog.stores.items()}, **{n: s.port for n, s in catalog.services.items()}}
    return {name: Address(f"{name}.{entry.namespace}", ports[name]) for name, entry in known.items()}


def secret_name(reader: str) -> str:
    """The Secret that a service, job or store reads its secret variables from."""
    return f"{reader}-secrets"


def environment(catalog: Catalog, name: str, setting: Setting) -> dict[str, Secret]:
    """The variables of a service, job or store, by name. Raises `Failure` naming every required one that has no value."""
    known = derived(catalog, setting)
    values: dict[str, Secret] = {}
    missing: list[str] = []
    for variable in catalog.variables_of(name):
        value = setting.overrides.get(variable.name) or _value(catalog, name, variable, setting, known)
        if value is not None:
            values[variable.name] = value
        elif variable.required:
            missing.append(f"{variable.name} ({variable.description})")
    if missing:
        raise Failure(
            f"deriving the variables of {name}", f"no value for {', '.join(missing)}", f"Write NAME=value into {OVERRIDES} in the checkout."
        )
    return values


def derived(catalog: Catalog, setting: Setting) -> dict[str, Secret]:
    """What follows from addresses and secrets alone: STORE_URL, STORE_HOST, STORE_PORT, SERVICE_URL, DATABASE_URL, CORS_ORIGINS."""
    known: dict[str, Secret] = {}
    for store, address in setting.addresses.items():
        if store in catalog.services:
            known[url_variable(store)] = Secret(f"http://{address.host}:{address.port}")
            continue
        known |= {name: Secret(value) for name, value in store_variables(catalog, store, access(catalog, store, setting)).items()}
    if address_of_page := page(catalog):
        known["CORS_ORIGINS"] = Secret(f"{address_of_page},{address_of_page.replace('localhost', '127.0.0.1')}")
    return known


def access(catalog: Catalog, store: str, setting: Setting) -> Access:
    """Where a store is and who is let in."""
    address, database = setting.addresses[store], catalog.database
    known = catalog.stores.get(store)
    contents = known.contents if known else EMPTY
    return Access(address.host, address.port, database.user, database.name, password(store, setting), contents)


def password(store: str, setting: Setting) -> str:
    """The password of a store: of its secret STORE_PASSWORD, or the empty string where it has none."""
    name = password_variable(store)
    secret = setting.overrides.get(name) or setting.secrets.get(name)
    return secret.reveal() if secret else ""


def password_variable(store: str) -> str:
    """The variable with the password of a store."""
    return f"{_upper(store)}_PASSWORD"


def store_variables(catalog: Catalog, store: str, access: Access) -> dict[str, str]:
    """The variables that say where a store is: its URL has the form of its kind, and is DATABASE_URL too where it is the database."""
    known, name = catalog.stores.get(store), _upper(store)
    kind = stores.of(known) if known else stores.kind_of(store)
    url = kind.url(access)
    own = {f"{name}_HOST": access.host, f"{name}_PORT": str(access.port), f"{name}_URL": url, **kind.variables(access)}
    return {**own, "DATABASE_URL": url} if store == catalog.database.store else own


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")


def _value(catalog: Catalog, name: str, variable: Variable, setting: Setting, known: Mapping[str, Secret]) -> Secret | None:
    own = setting.addresses.get(name)
    if variable.name == "HOST":
        return Secret(setting.listen)
    if variable.name == "PORT" and own:
        return Secret(str(own.port))
    if variable.local is not None:
        return Secret(_filled(variable, setting.addresses))
    found = known.get(variable.name) or setting.secrets.get(variable.name)
    return found if found is not None else Secret(variable.default) if variable.default is not None else None


def _filled(variable: Variable, addresses: Mapping[str, Address]) -> str:
    """`{redis.port}`, `{user-service.url}`, `{postgres.host}` in a `local` value."""

    def fill(match: re.Match[str]) -> str:
        address = addresses.get(match[1])
        if address is None:
            raise UsageError(
                f"deriving {variable.name}", f"its local value names {match[1]!r}, which is no store or service", "Correct platform.yaml."
            )
        return {"port": str(address.port), "host": address.host, "url": f"http://{address.host}:{address.port}"}[match[2]]

    return re.sub(r"\{([a-z0-9-]+)\.(port|host|url)\}", fill, variable.local or "")


def generated(catalog: Catalog) -> list[str]:
    """Names of the secrets that this machine makes up: required, and not derived from an address or another secret."""
    urls = {"DATABASE_URL", *(f"{_upper(store)}_URL" for store in catalog.stores)}
    return [v.name for v in catalog.variables.values() if v.readers and v.secret and v.required and v.local is None and v.name not in urls]


def kept_secrets(catalog: Catalog, file: Path) -> dict[str, Secret]:
    """The secrets of this machine from `file`; those it has not are made and kept there, readable by their owner alone."""
    doing = "reading this machine's secrets"
    try:
        known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except OSError as error:
        raise Failure(doing, f"{file}: {error.strerror}", "Check the file's permissions.") from error
    except ValueError as error:
        raise Failure(doing, f"{file} is no JSON", "Remove it: new secrets are made (people must sign in again).") from error
    wanted = generated(catalog)
    if new := {name: secrets.token_urlsafe(36) for name in wanted if not known.get(name)}:
        known |= new
        write_private(file, json.dumps(known, indent=1, sort_keys=True))
    return {name: Secret(str(known[name])) for name in wanted}


def overrides(catalog: Catalog) -> dict[str, Secret]:
    """The values in the checkout's .env.local, which win over what is derived. Raises `UsageError` naming file and line."""
    file = catalog.root / OVERRIDES
    if not file.exists():
        return {}
    values: dict[str, Secret] = {}
    try:
        written = file.read_text("utf-8-sig")  # editors of Windows put a byte order mark before it
    except UnicodeDecodeError as error:
        number = file.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(f"reading {OVERRIDES}", f"{file}:{number}: not UTF-8", "Save the file as UTF-8.") from error
    for number, line in enumerate(written.split("\n"), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        doing, place = f"reading {OVERRIDES}", f"{file}:{number}"
        if match is None:
            raise UsageError(doing, f"{place}: this is not NAME=value", "Correct the line.")  # never the line itself: it may hold a secret
        if match[1] not in catalog.variables:
            remedy = f"Correct the name{did_you_mean(match[1], catalog.variables)}, take the line out, or add it to platform.yaml."
            raise UsageError(doing, f"{place}: {match[1]} is no variable of the catalogue", remedy)
        values[match[1]] = Secret(_unquoted(match[2], doing, place))
        _check(catalog.variables[match[1]], values[match[1]].reveal(), doing, place)
    return values


def _check(variable: Variable, value: str, doing: str, place: str) -> None:
    """Raise `UsageError` for what a service would refuse when it starts; the value is not shown, it may be a secret."""
    if variable.name == "PORT":
        remedy = "Take the line out, and change `localPort` in platform.yaml."
        raise UsageError(doing, f"{place}: PORT would be that of every service, and each has its own", remedy)
    if value and (wrong := problem(variable.type, value, variable.values, variable.min_length)):
        raise UsageError(doing, f"{place}: {variable.name} {wrong}", f"Correct the value: {variable.description}.")


def _unquoted(text: str, doing: str, place: str) -> str:
    """'as it is', "with \\n and \\" in it", or bare, where ` #` begins a comment. Nothing is run or filled in."""
    if text[:1] == "'" and (match := re.fullmatch(r"'([^']*)'\s*(?:#.*)?", text)):
        return match[1]
    if text[:1] == '"' and (match := re.fullmatch(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?', text)):
        return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), match[1])
    if text[:1] in ("'", '"'):
        raise UsageError(doing, f"{place}: the quotation mark is not closed", "Close it.")
    return re.split(r"\s#", text, maxsplit=1)[0].rstrip()
