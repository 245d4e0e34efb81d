"""A user with `auth-provider: oidc`: an issuer of the test's own renews the token, over TLS."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from ops.errors import Failure
from ops.kube.credentials import source
from ops.kube.kubeconfig import Context, context_of, read
from ops.testbed.certificates import SERVER, issue

CANARY = "kanarie-refresh-token"


def token(expires: float, name: str = "x") -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(expires)}).encode()).decode().rstrip("=")
    return f"e30.{claims}.{name}"


OLD, NEW = token(1, "old"), token(time.time() + 3600, "new")


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the file of the authority that its certificate is from."""
    issue(tmp_path, "ca", common_name="issuer-ca")
    issue(tmp_path, "issuer", signer="ca", common_name="issuer", usages=(SERVER,), names=("127.0.0.1",))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({"token_endpoint": f"{address}/token"})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer({"id_token": NEW, "refresh_token": "the-next-one", "access_token": "a", "token_type": "Bearer"})

        def answer(self, body: dict[str, str]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "issuer.crt", tmp_path / "issuer.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        address = f"https://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address, tmp_path / "ca.crt"
        server.shutdown()


def context(folder: Path, address: str, **more: str) -> Context:
    config = {"client-id": "c", "client-secret": "s", "id-token": OLD, "refresh-token": CANARY, "idp-issuer-url": address, **more}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"auth-provider": {"name": "oidc", "config": config}}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    }
    (folder / "config").write_text(yaml.safe_dump(document))
    return context_of(read((folder / "config",)), "x")


def test_an_expired_token_is_renewed_and_written_back(issuer: tuple[str, Path], tmp_path: Path) -> None:
    address, authority = issuer
    found = source(context(tmp_path, address, **{"idp-certificate-authority": str(authority)})).get(20)
    assert found.authorization and found.authorization.reveal() == f"Bearer {NEW}"
    kept = yaml.safe_load((tmp_path / "config").read_text())["users"][0]["user"]["auth-provider"]["config"]
    assert (kept["id-token"], kept["refresh-token"]) == (NEW, "the-next-one")


def test_without_the_issuers_authority_nobody_is_trusted_and_kubectl_is_asked_for(issuer: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(Failure, match="has expired") as told:
        source(context(tmp_path, issuer[0])).get(20)
    assert "kubectl --context x version" in told.value.remedy
    assert yaml.safe_load((tmp_path / "config").read_text())["users"][0]["user"]["auth-provider"]["config"]["id-token"] == OLD


def test_an_issuer_that_is_another_is_named_without_a_secret(issuer: tuple[str, Path], tmp_path: Path) -> None:
    issue(tmp_path, "other", common_name="another-ca")
    other = tmp_path / "other.crt"
    with pytest.raises(Failure, match=r"its issuer gave no other: .*CERTIFICATE_VERIFY_FAILED") as told:
        source(context(tmp_path, issuer[0], **{"idp-certificate-authority": str(other)})).get(60)
    assert CANARY not in str(told.value)
