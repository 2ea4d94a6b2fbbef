"""Certificates and hellos, apart from any network."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.scanners.posture.certificates import Certificate, covers, judge_certificates, read_certificate
from app.scanners.posture.hello import TLS_1_0, TLS_1_2, Alert, Chosen, client_hello, read_answer
from tests.peers.faulty import read_hello, server_hello

_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _certificate(**changes: object) -> Certificate:
    given = {
        "subject": "peer.example",
        "issuer": "Issuer",
        "self_issued": False,
        "not_before": _NOW - timedelta(days=1),
        "not_after": _NOW + timedelta(days=90),
        "names": ("peer.example", "*.peer.example"),
        "key_kind": "EC",
        "key_bits": 256,
        "signature_hash": "sha256",
    }
    return Certificate(**{**given, **changes})  # type: ignore[arg-type]


def _named(*chain: Certificate, host: str = "peer.example", trust: int = 0) -> set[str]:
    return {fault.rule for fault in judge_certificates(chain, host, f"{host}:443", trust, _NOW)}


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("peer.example", True),
        ("PEER.example.", True),
        ("www.peer.example", True),
        ("a.www.peer.example", False),
        ("xpeer.example", False),
        ("192.0.2.1", False),
    ],
)
def test_names_match_as_the_standard_says(host: str, covered: bool) -> None:
    """A wildcard stands for one whole label at the left, names ignore case, addresses need their own entry."""
    assert covers(_certificate(), host) is covered


def test_addresses_and_lone_wildcards() -> None:
    """An address matches its entry in any spelling; a wildcard over a whole top-level domain matches nothing."""
    assert covers(_certificate(names=("192.0.2.1", "2001:db8::1")), "2001:0db8:0::1")
    assert not covers(_certificate(names=("*.example",)), "peer.example")


def test_short_keys_and_broken_hashes_anywhere_in_the_chain() -> None:
    """Leaf and intermediates are judged; a root that was sent along is not, as its signature proves nothing."""
    assert _named(_certificate(key_bits=192)) == {"cert-short-key"}
    assert _named(_certificate(key_kind="RSA", key_bits=1024)) == {"cert-short-key"}
    assert _named(_certificate(), _certificate(signature_hash="md5")) == {"cert-weak-signature"}
    assert _named(_certificate(), _certificate(signature_hash="sha1", self_issued=True)) == set()
    assert _named(_certificate(key_kind="Ed25519PublicKey", key_bits=None, signature_hash=None)) == set()


def test_the_reason_of_distrust_is_told_apart() -> None:
    """Self-signed, an intermediate left out, and an unknown authority are three findings."""
    assert _named(_certificate(), trust=18) == {"cert-self-signed"}
    assert _named(_certificate(), trust=20) == {"cert-incomplete-chain"}
    assert _named(_certificate(), _certificate(), trust=20) == {"cert-untrusted"}
    assert _named(_certificate(), _certificate(self_issued=True), trust=19) == {"cert-untrusted"}


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_can_be_read_as_a_certificate(data: bytes) -> None:
    """What is no certificate is None, never an exception."""
    assert read_certificate(data) is None


@settings(deadline=None)
@given(st.binary() | st.binary().map(lambda rest: b"\x16\x03\x03" + rest))
def test_any_bytes_can_be_read_as_an_answer(data: bytes) -> None:
    """What is no ServerHello and no alert is None, never an exception."""
    assert read_answer(data) is None or isinstance(read_answer(data), Chosen | Alert)


def test_a_hello_says_what_it_was_told_to() -> None:
    """The hello offers exactly the suites given, and the choice is read from the answer however it is cut."""
    assert read_hello(client_hello(TLS_1_0, (0x0005, 0x000A), "peer.example")) == (TLS_1_0, [0x0005, 0x000A, 0x00FF])
    reply = server_hello(TLS_1_2, 0x0005)
    assert read_answer(reply) == Chosen(TLS_1_2, 0x0005)
    assert [read_answer(reply[:cut]) for cut in range(len(reply) - 2)] == [None] * (len(reply) - 2)
    assert read_answer(b"\x15\x03\x03\x00\x02\x02\x46") == Alert(2, 70)
