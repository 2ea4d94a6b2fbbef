"""The demonstration target's certificate: self-signed, soon to expire, made anew when it has."""

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_LASTS = datetime.timedelta(days=10)


def certificate_in(folder: Path) -> Path:
    """Return a PEM file (mode 0600) in `folder` with a key and a certificate that lasts for another day at least."""
    path = folder / "target.pem"
    now = datetime.datetime.now(datetime.UTC)
    if not path.exists() or _end_of(path) - now < datetime.timedelta(days=1):
        fresh = folder / f"target.pem.{os.getpid()}"
        fresh.touch(mode=0o600)
        fresh.write_bytes(_make(now))
        fresh.replace(path)
    return path


def _end_of(path: Path) -> datetime.datetime:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    except ValueError:
        return datetime.datetime.min.replace(tzinfo=datetime.UTC)


def _make(now: datetime.datetime) -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sentinel demonstration target")])
    local = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _LASTS)
        .add_extension(x509.SubjectAlternativeName(local), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return private + certificate.public_bytes(serialization.Encoding.PEM)
