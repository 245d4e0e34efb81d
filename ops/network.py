"""HTTP connections, and which proxy leads to an address: as Go reads the environment, and so kubectl, Docker and BuildKit do."""

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    import ssl

    from urllib3 import PoolManager


def connections(tls: "ssl.SSLContext | None", *, proxy: str = "", number: int = 8, name: str | None = None) -> "PoolManager":
    """Connections that are kept and used again, through a proxy if there is one. `name` is the server's in its certificate, where that
    is not the address's."""
    from urllib3 import PoolManager, ProxyManager, make_headers

    if not proxy:
        return PoolManager(num_pools=4, maxsize=number, ssl_context=tls, server_hostname=name)
    who = urlsplit(proxy)
    login = f"{unquote(who.username)}:{unquote(who.password or '')}" if who.username else None
    headers = make_headers(proxy_basic_auth=login)
    return ProxyManager(shown(proxy), num_pools=4, maxsize=number, ssl_context=tls, server_hostname=name, proxy_headers=headers)


def system_trust() -> "ssl.SSLContext":
    """Whom this machine trusts, and a company's own authority where REQUESTS_CA_BUNDLE names one, as it does for pip."""
    import ssl
    from contextlib import suppress
    from pathlib import Path

    found = ssl.create_default_context()
    # Python 3.13 asks for more than the RFC's minimum, which authorities of some companies and clusters lack.
    found.verify_flags &= ~ssl.VERIFY_X509_STRICT
    paths = ssl.get_default_verify_paths()
    more = os.environ.get("REQUESTS_CA_BUNDLE", "")
    if not paths.cafile and not (paths.capath and any(Path(paths.capath).iterdir())):  # a Python of python.org on macOS has none
        with suppress(ImportError):
            import certifi

            more = more or certifi.where()
    if more:
        with suppress(OSError):
            found.load_verify_locations(more)
    return found


def proxy_for(url: str, environment: Mapping[str, str] | None = None) -> str:
    """The proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name for an address; empty for none. None leads to the loopback."""
    values = os.environ if environment is None else environment
    parts = urlsplit(url)
    name = "HTTPS_PROXY" if parts.scheme == "https" else "HTTP_PROXY"
    proxy = values.get(name) or values.get(name.lower(), "")
    if not proxy or not parts.hostname:
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    direct = values.get("NO_PROXY") or values.get("no_proxy", "")
    if is_loopback(parts.hostname) or _excepted(parts.hostname.lower().rstrip("."), port, direct):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: Docker, too, speaks plain HTTP to a registry there."""
    return host in ("localhost", "::1", "[::1]") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def shown(proxy: str) -> str:
    """A proxy's address without who is let in, and by which password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _excepted(host: str, port: int, direct: str) -> bool:
    """Whether one entry of `NO_PROXY` is meant: `*`, an address, a network, a name with all below it, `.name` with only those; each may
    name a port."""
    for entry in (e.strip().lower() for e in direct.split(",")):
        if entry == "*":
            return True
        name, number = _port(entry)
        if name and number in (0, port) and _fits(host, name):
            return True
    return False


def _port(entry: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[^]]+\]|[^:]+):(\d{1,5})", entry)
    return (found[1].strip("[]"), int(found[2])) if found else (entry.strip("[]"), 0)


def _fits(host: str, name: str) -> bool:
    from ipaddress import ip_address, ip_network

    try:
        address = ip_address(host)
    except ValueError:
        name = name.removeprefix("*")
        return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")
    try:
        return address in ip_network(name, strict=False)
    except ValueError:
        return False
