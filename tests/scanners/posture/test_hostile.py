"""Peers that try to break the scanner: each ends as findings or as a failed scan, in time."""

import gzip
import socket
import time
from collections.abc import Callable

import pytest

from app.scanners.posture.scan import examine
from app.scanners.probes import Artefact, Ticket
from tests.peers.authorities import Authority
from tests.peers.wire import answer, wire_peer

_SECONDS = 2.0
_SLACK = 30.0  # for a machine that has other things to do
_BOMB = gzip.compress(bytes(60_000_000), 9)
_LONG = b"x" * 60_000


def _endless(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
    while True:
        connection.sendall(b"<p>more" * 1000)


def _drip(connection: socket.socket, _request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n")
    while True:
        connection.sendall(b"X")
        time.sleep(0.2)


def _silence(connection: socket.socket, _request: bytes) -> None:
    time.sleep(120)


def _says(data: bytes) -> Callable[[socket.socket, bytes], None]:
    def handler(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(data)

    return handler


_HTML = b"Content-Type: text/html"
HOSTILE: dict[str, Callable[[socket.socket, bytes], None]] = {
    "nul": _says(answer(b"\x00<html>\x00" * 100, _HTML, b"X-Odd: a\x00b")),
    "invalid-utf-8": _says(answer(b"\xff\xfe\xc0<script src='http://\xff/'>", _HTML, b"Set-Cookie: \xff\xc3=\xe2\x28")),
    "markup-in-headers": _says(
        answer(b"<p>", _HTML, b"Server: <script>alert(1)</script>/1.0", b"X-Frame-Options: <img src=x onerror=y>")
    ),
    "bomb": _says(answer(_BOMB, _HTML, b"Content-Encoding: gzip")),
    "endless": _endless,
    "drip": _drip,
    "silence": _silence,
    "nothing": _says(b""),
    "no-http": _says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" * 100),
    "headers-without-end": _says(b"HTTP/1.1 200 OK\r\n" + b"X-Many: y\r\n" * 10_000 + b"\r\n"),
    "huge-cookie": _says(answer(b"", _HTML, b"Set-Cookie: session=" + _LONG)),
    "huge-policy": _says(answer(b"", _HTML, b"Content-Security-Policy: " + b"script-src a;," * 4000)),
    "deep-markup": _says(answer(b"<div " * 180_000, _HTML)),
    "odd-redirect": _says(answer(b"", b"Location: http://[::1/\\\\@\xff", status=b"302 Found")),
    "long-redirect": _says(answer(b"", b"Location: /" + _LONG, status=b"302 Found")),
    "odd-meta": _says(answer(b"<meta http-equiv=content-security-policy content='" + b"a;" * 100_000, _HTML)),
    "numbers": _says(answer(b"", _HTML, b"Strict-Transport-Security: max-age=" + b"9" * 5000)),
    "status": _says(b"HTTP/1.1 999 \xff\xff\r\nContent-Length: -5\r\n\r\n"),
    "utf-16": _says(answer(b"\xff\xfe<\x00", b"Content-Type: text/html; charset=utf-16")),
}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def _scan(url: str, endpoint: str) -> tuple[Artefact, float]:
    began = time.monotonic()
    artefact = examine(Ticket("scan", "posture", target=url, allowed=[endpoint], seconds=_SECONDS))
    return artefact, time.monotonic() - began


def _is_plain(artefact: Artefact) -> bool:
    texts = [*artefact.notes, *artefact.observed.values(), artefact.failure or ""]
    texts += [text for fault in artefact.faults for text in (fault.evidence, fault.location)]
    return all(text.isprintable() and len(text) <= 400 for text in texts)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_hostile_answer_ends_in_findings_or_a_failure(name: str, scheme: str, authority: Authority) -> None:
    """No answer raises, takes longer than the ticket's seconds, or brings in more than short plain text."""
    tls = authority.context() if scheme == "https" else None
    with wire_peer(HOSTILE[name], tls=tls) as peer:
        artefact, seconds = _scan(f"{scheme}://{peer.endpoint}/", peer.endpoint)
    assert artefact.faults or artefact.failure
    assert seconds < _SECONDS + _SLACK
    assert _is_plain(artefact)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x16\x03\x03\xff\xff" + b"\x02" * 70_000,
        b"\x16\x03\x03\x00\x04\x02\x00\x00\x00",
        b"\x15\x03\x03\x00\x02\x02",
        b"\x15\x03\x03\x00\x02\x02\x28" * 1000,
        bytes(100_000),
    ],
    ids=["nothing", "http", "long-record", "short-hello", "short-alert", "alerts", "zeros"],
)
def test_garbage_in_place_of_tls_is_a_failure(garbage: bytes) -> None:
    """What is no TLS ends as a failed scan that says so, without a finding made of it."""
    with wire_peer(_says(garbage), eager=True) as peer:
        artefact, seconds = _scan(f"https://{peer.endpoint}/", peer.endpoint)
    assert artefact.failure
    assert artefact.faults == []
    assert seconds < _SECONDS + _SLACK


def test_a_tls_peer_that_stays_silent_is_a_failure_in_time() -> None:
    """A peer that takes the connection and never answers costs the ticket's seconds at most."""
    with wire_peer(_silence, eager=True) as peer:
        artefact, seconds = _scan(f"https://{peer.endpoint}/", peer.endpoint)
    assert artefact.failure
    assert seconds < _SECONDS + _SLACK


def test_what_was_seen_before_the_time_was_up_is_kept(authority: Authority) -> None:
    """A page that never ends leaves the findings on its headers, marked as partly scanned."""
    with wire_peer(_endless, tls=authority.context()) as peer:
        artefact, _ = _scan(f"https://{peer.endpoint}/", peer.endpoint)
    assert artefact.partial
    assert artefact.failure is None
    assert "csp-missing" in {fault.rule for fault in artefact.faults}


def test_an_address_that_is_not_allowed_is_refused() -> None:
    """A loopback address that the ticket does not name is not connected to."""
    with wire_peer(_says(answer(b"hello"))) as peer:
        artefact = examine(Ticket("scan", "posture", target=f"http://{peer.endpoint}/", seconds=_SECONDS))
        assert peer.requests == []
    assert artefact.failure
