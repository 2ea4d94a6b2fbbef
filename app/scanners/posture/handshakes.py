"""TLS as a server speaks it: one ordinary handshake, one that verifies, and hellos by hand for what is out of date."""

import socket
import ssl
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import certifi

from app.core.outbound import Kind, Unreachable, connect, handshake
from app.scanners.posture import hello, suites
from app.scanners.posture.budgets import Budget
from app.scanners.posture.certificates import IN_ORDER, Certificate, judge_certificates, read_certificate
from app.scanners.posture.evidence import found, listed
from app.scanners.probes import Fault

_MOST_NAMED = 4
_HELLO_SECONDS = 4.0  # some servers answer what they do not like with silence
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: time is judged by our own clock
_LEGACY_SERVERS = 0x4  # SSL_OP_LEGACY_SERVER_CONNECT
_OLD_VERSIONS = {"tls-ssl3": hello.SSL_3_0, "tls-1.0": hello.TLS_1_0, "tls-1.1": hello.TLS_1_1}
_SPOKEN = {"tls-ssl3": "SSL 3.0", "tls-1.0": "TLS 1.0", "tls-1.1": "TLS 1.1"}
_WEAK: Mapping[str, Mapping[int, str]] = {
    "tls-weak-cipher": suites.BROKEN,
    "tls-3des": suites.SMALL_BLOCK,
    "tls-no-forward-secrecy": suites.NOT_FORWARD_SECRET,
}


@dataclass
class Survey:
    """What a server showed: its chain (leaf first), its best version, what it accepts; `refusal`: it spoke no TLS."""

    chain: list[Certificate] = field(default_factory=list)
    version: str | None = None
    cipher: str | None = None
    trust: int = IN_ORDER
    accepted: dict[str, list[str]] = field(default_factory=dict)
    refusal: str | None = None
    unread: bool = False


def survey_certificates(survey: Survey, host: str, port: int, budget: Budget, roots: str | None) -> None:
    """Fill in chain, version and trust. Raises Refused, Unreachable (not of kind TLS) or OutOfTime."""
    try:
        with handshake(host, port, budget.policy(), lenient_context()) as connection:
            survey.version, survey.cipher = connection.version(), (connection.cipher() or ("", "", 0))[0]
            ders = _sent_chain(connection)
    except Unreachable as failure:
        if failure.kind not in (Kind.TLS, Kind.TIMEOUT):
            raise
        survey.refusal = failure.why
        return
    read = [read_certificate(der) for der in ders[:10]]
    survey.unread = not read or read[0] is None
    survey.chain = [certificate for certificate in read if certificate] if not survey.unread else []
    try:
        handshake(host, port, budget.policy(), _verifying_context(roots)).close()
    except Unreachable as failure:
        cause = failure.__cause__
        if isinstance(cause, ssl.SSLCertVerificationError):
            survey.trust = cause.verify_code


def survey_acceptance(survey: Survey, host: str, port: int, budget: Budget) -> None:
    """Fill in which old versions and weak suites are accepted. Raises Refused, Unreachable or OutOfTime."""
    for rule, version in _OLD_VERSIONS.items():
        chosen = _ask(host, port, budget, version, suites.FOR_OLD_VERSIONS)
        if chosen is not None and chosen.version == version:
            survey.accepted[rule] = [_SPOKEN[rule]]
    for rule, group in _WEAK.items():
        left = dict(group)
        most = _MOST_NAMED if rule != "tls-no-forward-secrecy" else 1
        while left and len(survey.accepted.get(rule, [])) < most:
            chosen = _ask(host, port, budget, hello.TLS_1_2, tuple(left))
            if chosen is None or chosen.suite not in left:
                break
            survey.accepted.setdefault(rule, []).append(left.pop(chosen.suite))


def judge_survey(survey: Survey, host: str, port: int, now: datetime) -> Iterator[Fault]:
    """Yield what is wrong with what the server showed."""
    place = f"{host}:{port}"
    if survey.chain:
        yield from judge_certificates(survey.chain, host, place, survey.trust, now)
    for rule, accepted in survey.accepted.items():
        yield found(rule, place, f"{place} accepted {listed(accepted)}")
    if survey.version and survey.version != "TLSv1.3":
        yield found("tls-1.3-missing", place, f"The best version offered is {survey.version}")


def lenient_context() -> ssl.SSLContext:
    """Return a context that speaks with any server that OpenSSL can speak with: to look, never to send a secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:!aNULL:!eNULL:@SECLEVEL=0")
    context.options |= _LEGACY_SERVERS
    context.set_alpn_protocols(["http/1.1"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    return context


def _verifying_context(roots: str | None) -> ssl.SSLContext:
    context = lenient_context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
    context.load_verify_locations(certifi.where())
    if roots:
        context.load_verify_locations(cadata=roots)
    return context


def _sent_chain(connection: ssl.SSLSocket) -> list[bytes]:
    """Return the certificates as the server sent them, in DER."""
    public = getattr(connection, "get_unverified_chain", None)  # Python 3.13 and later
    if public is not None:
        return list(public())
    inner = getattr(connection, "_sslobj", None)
    chain = inner.get_unverified_chain() if inner is not None else None
    if chain:
        return [_der(certificate) for certificate in chain]
    leaf = connection.getpeercert(binary_form=True)
    return [leaf] if leaf else []


def _der(certificate: object) -> bytes:
    pem: str = certificate.public_bytes()  # type: ignore[attr-defined]
    return ssl.PEM_cert_to_DER_cert(pem)


def _ask(host: str, port: int, budget: Budget, version: int, offered: tuple[int, ...]) -> hello.Chosen | None:
    """Offer these suites; return the server's choice, None where it refused or made no sense."""
    policy = budget.policy()
    end = time.monotonic() + min(policy.total_seconds, _HELLO_SECONDS)
    with connect(host, port, policy) as connection:
        try:
            connection.settimeout(_HELLO_SECONDS)
            connection.sendall(hello.client_hello(version, offered, host))
            answer = _read(connection, end)
        except OSError:
            return None
    return answer if isinstance(answer, hello.Chosen) else None


def _read(connection: socket.socket, end: float) -> hello.Chosen | hello.Alert | None:
    data = b""
    while len(data) < hello.MOST_BYTES:
        left = end - time.monotonic()
        if left <= 0:
            return None
        connection.settimeout(left)
        more = connection.recv(4096)
        data += more
        answer = hello.read_answer(data)
        if answer is not None or not more or not hello.is_tls(data):
            return answer
    return None
