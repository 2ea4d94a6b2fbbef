"""Proof of control: what matches, what does not, and what an attempt tells."""

import gzip
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.core.clock import SetClock
from app.core.outbound import Policy, names
from app.scanners.ownership import (
    WELL_KNOWN_PATH,
    Attempt,
    Method,
    challenge_name,
    challenge_url,
    challenge_value,
    check_dns,
    check_file,
    proved,
)
from tests.peers.certificates import self_signed, serving
from tests.peers.dns import FAILED, REFUSED, SILENT, Answer, dns_peer
from tests.peers.wire import Handler, answer, moved, says, wire_peer

_TOKEN = "t0ken-of-one-host-and-port"
_VALUE = challenge_value(_TOKEN)
_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _dns(answers: list[Answer] | None, **limits: float) -> Attempt:
    script = {} if answers is None else {(challenge_name("a.example"), "TXT"): answers}
    with dns_peer(script) as peer:
        policy = Policy(resolvers=(peer.address,), read_seconds=1, **limits)
        (attempt,) = check_dns("a.example", _TOKEN, policy, clock=SetClock(_AT))
        assert attempt.asked == peer.address
        return attempt


def _file(handler: Handler, **limits: float) -> Attempt:
    with wire_peer(handler) as peer:
        policy = Policy(allowed=frozenset({peer.endpoint}), read_seconds=1, **limits)
        (attempt,) = check_file(f"http://{peer.endpoint}/shop?x=1", _TOKEN, policy, clock=SetClock(_AT))
        assert attempt.asked == f"http://{peer.endpoint}{WELL_KNOWN_PATH}"
        assert all(request.startswith(f"GET {WELL_KNOWN_PATH} ".encode()) for request in peer.requests)
        return attempt


def test_what_is_asked_for_has_fixed_names() -> None:
    """Name, value and path are what the console tells the tenant."""
    assert challenge_name("a.example") == "_sentinel-challenge.a.example"
    assert challenge_value("x") == "sentinel-verification=x"
    assert challenge_url("https://A.example:8443/shop?x=1") == f"https://a.example:8443{WELL_KNOWN_PATH}"


@pytest.mark.parametrize(
    "records",
    [
        [f'"{_VALUE}"'],
        ['"v=spf1 -all"', f'"{_VALUE}"'],
        [f'"{_VALUE[:9]}" "{_VALUE[9:]}"'],
        [f'" {_VALUE} "'],
    ],
    ids=["alone", "among others", "in two strings", "with spaces"],
)
def test_the_record_proves_control(records: list[str]) -> None:
    """One TXT record with the value matches, wherever it stands among others."""
    attempt = _dns([records])
    assert (attempt.method, attempt.matched, attempt.status, attempt.at) == (Method.DNS, True, "found", _AT)


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        (None, "no such record"),
        ([[]], "no such record"),
        ([['"sentinel-verification=other"']], "holds another value"),
        ([[f'"{_TOKEN}"']], "holds another value"),
        ([[f'"{_VALUE}x"']], "holds another value"),
        ([[f'"{_VALUE.upper()}"']], "holds another value"),
        ([['"\\000\\255\\254"']], "holds another value"),
        ([SILENT], "timed out"),
        ([REFUSED], "refused or failed"),
        ([FAILED], "refused or failed"),
    ],
)
def test_any_other_record_proves_nothing(answers: list[Answer] | None, status: str) -> None:
    """Missing, different, binary and failing answers do not match, and each is told in its own words."""
    attempt = _dns(answers)
    assert (attempt.matched, attempt.status) == (False, status)


def test_each_resolver_is_asked_by_itself() -> None:
    """One that has the record already and one that does not yet are told apart; one match is enough."""
    name = (challenge_name("a.example"), "TXT")
    with dns_peer({name: [[f'"{_VALUE}"']]}) as fresh, dns_peer({}) as stale, dns_peer({name: [SILENT]}) as silent:
        policy = Policy(resolvers=(stale.address, fresh.address, silent.address), read_seconds=1)
        attempts = check_dns("a.example", _TOKEN, policy)
    assert [(one.asked, one.matched) for one in attempts] == [
        (stale.address, False),
        (fresh.address, True),
        (silent.address, False),
    ]
    assert proved(attempts)
    assert not proved(attempts[:1])


def test_the_systems_resolvers_are_asked_where_none_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the system's name servers is an attempt of its own; with none there is one attempt that says so."""
    asked = names.dns.resolver.Resolver
    with dns_peer({(challenge_name("a.example"), "TXT"): [[f'"{_VALUE}"']]}) as peer:
        system = SimpleNamespace(nameservers=[peer.address])
        monkeypatch.setattr(names.dns.resolver, "Resolver", lambda **given: asked(**given) if given else system)
        assert proved(check_dns("a.example", _TOKEN, Policy()))
        system.nameservers = []
    (attempt,) = check_dns("a.example", _TOKEN, Policy())
    assert (attempt.matched, attempt.status) == (False, "no resolver is configured")


@pytest.mark.parametrize("host", ["a" * 300, "a..b", "\x00", "\ud800.example", "é" * 70, "a." * 126 + "b"])
def test_a_host_that_dns_cannot_hold_proves_nothing(host: str) -> None:
    """Names too long or malformed are an attempt that failed, not an error."""
    with dns_peer({}) as peer:
        (attempt,) = check_dns(host, _TOKEN, Policy(resolvers=(peer.address,), read_seconds=1))
    assert not attempt.matched


@pytest.mark.parametrize(
    "body",
    [_VALUE.encode(), f"\r\n {_VALUE} \n".encode(), b"\xef\xbb\xbf" + _VALUE.encode() + b"\n"],
    ids=["alone", "with blanks", "with a byte order mark"],
)
def test_the_file_proves_control(body: bytes) -> None:
    """The value matches with blanks around it, as editors leave them."""
    attempt = _file(says(answer(body)))
    assert (attempt.method, attempt.matched, attempt.status, attempt.at) == (Method.FILE, True, "found", _AT)


def test_a_packed_file_proves_control() -> None:
    """A server that compresses is understood."""
    assert _file(says(answer(gzip.compress(_VALUE.encode()), b"Content-Encoding: gzip"))).matched


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (answer(b"sentinel-verification=other"), "holds another value"),
        (answer(_TOKEN.encode()), "holds another value"),
        (answer(_VALUE.encode() + b"\x00"), "holds another value"),
        (answer(b"<html>" + _VALUE.encode() + b"</html>"), "holds another value"),
        (answer(b"\xff\xfe" + _VALUE.encode("utf-16-le")), "holds another value"),
        (answer(_VALUE.encode(), status=b"404 Not Found"), "no such file"),
        (answer(_VALUE.encode(), status=b"500 Oops"), "answered with status 500"),
        (answer(_VALUE.encode(), status=b"206 Partial Content"), "answered with status 206"),
        (answer(_VALUE.encode() + b" " * 5000), "the file is too large, or broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + _VALUE.encode(), "the file is too large, or broke off"),
        (answer(gzip.compress(bytes(10_000_000)), b"Content-Encoding: gzip"), "the file is too large, or broke off"),
        (moved("/elsewhere"), "redirects elsewhere, which proves nothing"),
        (b"\x00\xff", "127.0.0.1 did not answer in proper HTTP"),
    ],
)
def test_any_other_file_proves_nothing(raw: bytes, status: str) -> None:
    """Other content, other statuses and hostile bodies do not match, and each is told in its own words."""
    attempt = _file(says(raw))
    assert (attempt.matched, attempt.status) == (False, status)


def test_a_redirect_is_not_followed() -> None:
    """The value on another host or port, where a redirect leads, is never asked for."""
    with wire_peer(says(answer(_VALUE.encode()))) as other:
        with wire_peer(says(moved(f"http://{other.endpoint}{WELL_KNOWN_PATH}"))) as peer:
            policy = Policy(allowed=frozenset({peer.endpoint, other.endpoint}))
            (attempt,) = check_file(f"http://{peer.endpoint}/", _TOKEN, policy)
        assert not attempt.matched
        assert other.requests == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9999/", "http://user@a.example/", "ftp://a.example/", "nonsense"])
def test_where_we_do_not_go_nothing_is_proved(url: str) -> None:
    """An inner address or an unreadable one is an attempt that says why."""
    (attempt,) = check_file(url, _TOKEN, Policy())
    assert not attempt.matched
    assert attempt.status


def test_a_faulty_certificate_does_not_hinder_the_proof(tmp_path: Path) -> None:
    """A site under TLS with a certificate that nobody trusts can prove control and have it examined."""
    tls = serving(self_signed(tmp_path, "other.example"))
    with wire_peer(says(answer(_VALUE.encode())), tls=tls) as peer:
        policy = Policy(allowed=frozenset({peer.endpoint}))
        (attempt,) = check_file(f"https://{peer.endpoint}/", _TOKEN, policy)
    assert attempt.matched


def test_an_attempt_never_holds_what_was_fetched() -> None:
    """No part of a body or a record is in what is shown."""
    told = [_file(says(answer(b"inner secret 4711"))), _dns([['"inner secret 4711"']])]
    assert not any("4711" in repr(attempt) for attempt in told)
