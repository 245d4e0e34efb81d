"""Keys and certificates of the throw-away cluster, and the kubeconfigs that hold them."""

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ops.testbed.keep import write
from ops.testbed.layout import API_PORT, LOOPBACK, NODE, Layout
from ops.testbed.model import CONTEXT

if TYPE_CHECKING:
    from cryptography import x509

AUTHORITIES = ("ca", "front-proxy-ca", "etcd-ca", "docker-ca")
FORM = "2"  # another one, when what is made below changes: those of the last time do not serve then
SERVER, CLIENT = "server", "client"
USERS = {  # name -> (organisation, common name), as the API server's RBAC knows them
    "admin": ("system:masters", "testbed-admin"),
    "apiserver-kubelet": ("system:masters", "apiserver-kubelet"),
    "kube-controller-manager": ("", "system:kube-controller-manager"),
    "kube-scheduler": ("", "system:kube-scheduler"),
    "kubelet": ("system:nodes", f"system:node:{NODE}"),
    "kube-proxy": ("", "system:kube-proxy"),
    "kube-router": ("", "system:kube-router"),
}


def prepare(layout: Layout) -> None:
    """Make what is not there. Other addresses mean new certificates; else those of the last time serve on."""
    marker = layout.pki / "made"
    if not marker.exists() or marker.read_text() != made_from(layout):
        _make(layout)
        write(marker, made_from(layout))
    for user in USERS:
        path = layout.kubeconfig if user == "admin" else layout.conf / f"{user}.kubeconfig"
        write(path, kubeconfig(layout, user), 0o600)


def made_from(layout: Layout) -> str:
    """What the certificates depend on."""
    return f"{FORM} {layout.network}"


def kubeconfig(layout: Layout, user: str, server: str = "") -> str:
    """A kubeconfig that is whole in itself: it can be copied elsewhere, with the address that the API server has there."""

    def data(name: str) -> str:
        return base64.b64encode((layout.pki / name).read_bytes()).decode()

    cluster = {"server": server or f"https://{layout.node_address}:{API_PORT}", "certificate-authority-data": data("ca.crt")}
    credentials = {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": f"{CONTEXT}-{user}", "user": credentials}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": f"{CONTEXT}-{user}"}}],
        "current-context": CONTEXT,
    }
    return json.dumps(document, indent=2)


def _make(layout: Layout) -> None:
    for authority in AUTHORITIES:
        issue(layout.pki, authority, common_name=f"testbed-{authority}")
    inside = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
    issue(layout.pki, "etcd", signer="etcd-ca", common_name="etcd", usages=(SERVER, CLIENT), names=("127.0.0.1", LOOPBACK, "localhost"))
    addresses = (layout.node_address, layout.api_address, "127.0.0.1", "localhost")
    issue(layout.pki, "apiserver", signer="ca", common_name="kube-apiserver", usages=(SERVER,), names=(*addresses, *inside))
    node = {"organisation": "system:nodes", "common_name": f"system:node:{NODE}"}
    issue(layout.pki, "kubelet-serving", signer="ca", **node, usages=(SERVER,), names=(layout.node_address, NODE))
    issue(layout.pki, "front-proxy", signer="front-proxy-ca", common_name="front-proxy-client", usages=(CLIENT,))
    for user, (organisation, common_name) in USERS.items():
        issue(layout.pki, user, signer="ca", organisation=organisation, common_name=common_name, usages=(CLIENT,))
    issue(layout.pki, "docker", signer="docker-ca", common_name="docker", usages=(SERVER,), names=("127.0.0.1", "localhost"))
    issue(layout.pki, "docker-client", signer="docker-ca", common_name="docker-client", usages=(CLIENT,))
    _service_account_keys(layout.pki)


def issue(
    folder: Path,
    name: str,
    *,
    signer: str = "",
    organisation: str = "",
    common_name: str = "",
    usages: Sequence[str] = (),
    names: Sequence[str] = (),
) -> None:
    """An EC key and a certificate: an authority's, signed by itself, where no signer is named."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation)] if organisation else []
    subject = x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer, signing_key, signers = subject, key, own
    if signer:
        authority = x509.load_pem_x509_certificate((folder / f"{signer}.crt").read_bytes())
        issuer, signers = authority.subject, authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        loaded = serialization.load_pem_private_key((folder / f"{signer}.key").read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)  # written below
        signing_key = loaded
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=not signer, path_length=None), critical=True)
        .add_extension(_key_usage(authority=not signer), critical=True)
        # Python from 3.13 on takes no certificate without these.
        .add_extension(own, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signers), critical=False)
    )
    if usages:
        oids = {SERVER: ExtendedKeyUsageOID.SERVER_AUTH, CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}
        builder = builder.add_extension(x509.ExtendedKeyUsage([oids[usage] for usage in usages]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(text) for text in names]), critical=False)
    certificate = builder.sign(signing_key, hashes.SHA256())
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    write(folder / f"{name}.key", key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode(), 0o600)
    write(folder / f"{name}.crt", certificate.public_bytes(pem).decode())


def _service_account_keys(folder: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    write(folder / "sa.key", private.decode(), 0o600)
    write(folder / "sa.pub", public.decode())


def _key_usage(*, authority: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(text: str) -> "x509.GeneralName":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
