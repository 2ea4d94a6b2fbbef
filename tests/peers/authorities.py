"""A certificate authority for the tests, with an intermediate, that also issues what no real one would."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
SOUND = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True)
class Issue:
    """What a leaf is to be like; the default is without fault."""

    names: tuple[str, ...] = ("127.0.0.1",)
    begins: datetime.timedelta = -2 * DAY
    ends: datetime.timedelta = 60 * DAY
    rsa_bits: int | None = None
    sha1: bool = False
    signer: str = "intermediate"  # or "self", "stranger"
    with_chain: bool = True


@dataclass
class Identity:
    """A key and its certificate."""

    key: CertificateIssuerPrivateKeyTypes
    certificate: x509.Certificate

    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def private_pem(self) -> str:
        plain = serialization.NoEncryption()
        kind = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, kind, plain).decode()


@dataclass
class Authority:
    """A root, an intermediate beneath it, and a stranger's pair that nobody trusts."""

    root: Identity = field(init=False)
    intermediate: Identity = field(init=False)
    stranger_root: Identity = field(init=False)
    stranger: Identity = field(init=False)

    def __post_init__(self) -> None:
        self.root = _made("Test Root", None)
        self.intermediate = _made("Test Intermediate", self.root, key=rsa.generate_private_key(65537, 2048))
        self.stranger_root = _made("Stranger Root", None)
        self.stranger = _made("Stranger Intermediate", self.stranger_root)

    @property
    def roots(self) -> str:
        """What a client is to trust, in PEM."""
        return self.root.pem()

    def context(self, issue: Issue | None = None, *, ciphers: str = SOUND) -> ssl.SSLContext:
        """Return a server's context with a newly issued leaf; `ciphers` as OpenSSL writes them."""
        issue = issue or Issue()
        above = {"intermediate": self.intermediate, "stranger": self.stranger, "self": None}[issue.signer]
        leaf = _made(issue.names[0], above, issue)
        chain = leaf.pem() + (above.pem() if above is not None and issue.with_chain else "")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(ciphers)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "leaf.pem"
            path.write_text(leaf.private_pem() + chain)
            context.load_cert_chain(path)
        return context


def with_sha1(certificate: x509.Certificate, signer: CertificateIssuerPrivateKeyTypes) -> x509.Certificate:
    """Sign a certificate anew as the library refuses to, with RSA and SHA-1 (the OIDs differ in the last byte)."""
    assert isinstance(signer, rsa.RSAPrivateKey)
    sha256, sha1 = (bytes.fromhex("2a864886f70d0101") + last for last in (b"\x0b", b"\x05"))
    signed = certificate.tbs_certificate_bytes.replace(sha256, sha1)
    signature = signer.sign(signed, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
    der = certificate.public_bytes(serialization.Encoding.DER)
    der = der.replace(sha256, sha1).replace(certificate.signature, signature)
    return x509.load_der_x509_certificate(der)


def _made(
    name: str,
    above: Identity | None,
    issue: Issue | None = None,
    key: CertificateIssuerPrivateKeyTypes | None = None,
) -> Identity:
    """Make a key and certificate; an authority's where no issue is given, self-signed where nobody is above."""
    if key is None and issue is not None and issue.rsa_bits:
        key = rsa.generate_private_key(65537, issue.rsa_bits)
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = above.key if above else key
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + (issue.begins if issue else -10 * DAY))
        .not_valid_after(now + (issue.ends if issue else 300 * DAY))
        .add_extension(x509.BasicConstraints(ca=issue is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if issue is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(n) for n in issue.names]), critical=False)
    certificate = builder.sign(signer, hashes.SHA256())
    return Identity(key, with_sha1(certificate, signer) if issue is not None and issue.sha1 else certificate)


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
