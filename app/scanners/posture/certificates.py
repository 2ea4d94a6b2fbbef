"""Certificates as a server sends them: what they say, and what is wrong with that."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtensionOID, NameOID

from app.scanners.posture.evidence import found, listed, masked, one_line
from app.scanners.probes import Fault

RENEW_BEFORE = timedelta(days=14)
_SHORTEST = {"RSA": 2048, "DSA": 2048, "EC": 224}
_BROKEN_HASHES = frozenset({"md5", "sha1"})
# X509_V_ERR_*: openssl/x509_vfy.h
_SELF_SIGNED_LEAF = 18
_NO_ISSUER = frozenset({2, 20, 21, 27})
IN_ORDER = 0


@dataclass(frozen=True)
class Certificate:
    """What one certificate says. `key_kind` is RSA, EC, DSA or another name; times are in UTC."""

    subject: str
    issuer: str
    self_issued: bool
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    key_kind: str
    key_bits: int | None
    signature_hash: str | None


def read_certificate(der: bytes) -> Certificate | None:
    """Return what the certificate says, None where it cannot be read. Never raises."""
    try:
        parsed = x509.load_der_x509_certificate(der)
        kind, bits = _key(parsed)
        return Certificate(
            subject=_name(parsed.subject),
            issuer=_name(parsed.issuer),
            self_issued=parsed.subject == parsed.issuer,
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            names=_alternative_names(parsed),
            key_kind=kind,
            key_bits=bits,
            signature_hash=_hash(parsed),
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None


def judge_certificates(
    chain: Sequence[Certificate], host: str, place: str, trust: int, now: datetime
) -> Iterator[Fault]:
    """Yield what is wrong with a chain, leaf first.

    `trust` is OpenSSL's verdict on the path alone, without time and name (an X509_V_ERR number; 0 for none).
    """
    leaf = chain[0]
    who = f"Certificate for {_shown(leaf)}"
    if leaf.not_after <= now:
        yield found("cert-expired", place, f"{who} was valid until {_day(leaf.not_after)}")
    elif leaf.not_before > now:
        yield found("cert-not-yet-valid", place, f"{who} is valid from {_day(leaf.not_before)}")
    elif leaf.not_after - now < RENEW_BEFORE:
        yield found("cert-expiring", place, f"{who} is valid until {_day(leaf.not_after)}")
    if not covers(leaf, host):
        yield found("cert-wrong-host", place, f"{who} does not name {host}")
    yield from _judge_trust(chain, place, trust)
    for certificate in [leaf, *(above for above in chain[1:8] if not above.self_issued)]:
        yield from _judge_strength(certificate, place)


def covers(certificate: Certificate, host: str) -> bool:
    """Whether a subjectAltName names the host (RFC 9525: a wildcard stands for the whole left-most label)."""
    try:
        wanted = ip_address(host)
    except ValueError:
        labels = host.rstrip(".").lower().split(".")
        patterns = (name.rstrip(".").lower().split(".") for name in certificate.names)
        return any(
            len(pattern) == len(labels)
            and pattern[1:] == labels[1:]
            and (pattern[0] == labels[0] or (pattern[0] == "*" and len(labels) > 2))
            for pattern in patterns
        )
    return str(wanted) in certificate.names


def _judge_trust(chain: Sequence[Certificate], place: str, trust: int) -> Iterator[Fault]:
    leaf, last = chain[0], chain[-1]
    if trust == IN_ORDER:
        return
    if trust == _SELF_SIGNED_LEAF or (len(chain) == 1 and leaf.self_issued):
        yield found("cert-self-signed", place, f"Issuer and subject are both {_shown(leaf)}")
    elif trust in _NO_ISSUER and len(chain) == 1:
        seen = (
            f"Only the certificate for {_shown(leaf)} was sent; its issuer {leaf.issuer} was not, and is no known root"
        )
        yield found("cert-incomplete-chain", place, masked(seen))
    else:
        yield found("cert-untrusted", place, masked(f"The chain ends at {last.issuer}, which is no known root"))


def _judge_strength(certificate: Certificate, place: str) -> Iterator[Fault]:
    shortest = _SHORTEST.get(certificate.key_kind)
    if shortest and certificate.key_bits is not None and certificate.key_bits < shortest:
        size = f"{certificate.key_kind} key of {certificate.key_bits} bits"
        yield found("cert-short-key", place, f"{_shown(certificate)}: {size}")
    if certificate.signature_hash in _BROKEN_HASHES:
        seen = f"{_shown(certificate)}: signed with {str(certificate.signature_hash).upper()}"
        yield found("cert-weak-signature", place, seen)


def _key(parsed: x509.Certificate) -> tuple[str, int | None]:
    try:
        key = parsed.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return "unknown", None
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    return type(key).__name__, None


def _hash(parsed: x509.Certificate) -> str | None:
    try:
        algorithm = parsed.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "md5" if parsed.signature_algorithm_oid.dotted_string.endswith(".1.1.4") else None
    return algorithm.name if algorithm else None


def _alternative_names(parsed: x509.Certificate) -> tuple[str, ...]:
    try:
        names = parsed.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    if not isinstance(names, x509.SubjectAlternativeName):
        return ()
    hosts = names.get_values_for_type(x509.DNSName)
    return (*hosts, *(str(address) for address in names.get_values_for_type(x509.IPAddress)))


def _name(name: x509.Name) -> str:
    common = [str(part.value) for part in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return one_line(common[0] if common else name.rfc4514_string(), 100)


def _shown(certificate: Certificate) -> str:
    return masked(listed(certificate.names, most=2) or certificate.subject or "nobody")


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
