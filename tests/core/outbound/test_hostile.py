"""Servers that mean harm, or are broken: what comes in is bounded in time and size."""

import contextlib
import gzip
import socket
import time
import tracemalloc
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.outbound import Kind, Policy, Response, Unreachable, fetch
from app.core.outbound.bodies import Body
from tests.peers.wire import Handler, WirePeer, answer, says, wire_peer

_MIB = 1024 * 1024


def _policy(peer: WirePeer, **limits: float) -> Policy:
    limits = {"read_seconds": 0.5, "total_seconds": 1.0} | limits
    return Policy(allowed=frozenset({peer.endpoint}), max_bytes=64 * 1024, **limits)


def _drip(start: bytes, piece: bytes, pause: float = 0.05) -> Handler:
    def handler(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(start)
        for _ in range(600):
            connection.sendall(piece)
            time.sleep(pause)

    return handler


def _flood(start: bytes, piece: bytes) -> Handler:
    def handler(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(piece)

    return handler


def _get(handler: Handler, **limits: float) -> Response:
    with wire_peer(handler) as peer:
        began = time.monotonic()
        try:
            return fetch("GET", f"http://{peer.endpoint}/", _policy(peer, **limits))
        finally:
            assert time.monotonic() - began < 20  # what drips goes on for half a minute


@pytest.mark.parametrize(
    "handler",
    [
        _drip(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"),
        _drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        _drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        _drip(b"", b""),
    ],
    ids=["one header", "headers", "interim answers", "nothing"],
)
def test_headers_that_drip_end_at_the_deadline(handler: Handler) -> None:
    """Each piece comes in time, the whole does not: the fetch fails as timed out."""
    with pytest.raises(Unreachable) as ended:
        _get(handler)
    assert ended.value.kind is Kind.TIMEOUT


@pytest.mark.parametrize(
    "handler",
    [
        _drip(b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
        _drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        _drip(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nab", b"", 2),
    ],
    ids=["until closed", "chunks", "stalled"],
)
def test_a_body_that_drips_is_cut_at_the_deadline(handler: Handler) -> None:
    """What came until then is kept, with the reason."""
    got = _get(handler, read_seconds=1.5, total_seconds=2.0)
    assert (got.status, got.cut) == (200, "time")
    assert got.body.startswith(b"a")


@pytest.mark.parametrize(
    "handler",
    [
        _flood(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65536),
        _flood(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"\x00" * 65536),
        _flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"a" * 4096 + b"\r\n"),
    ],
    ids=["until closed", "length", "chunks"],
)
def test_a_body_without_end_is_cut_at_its_limit(handler: Handler) -> None:
    """Exactly `max_bytes` are kept."""
    got = _get(handler, read_seconds=15.0, total_seconds=18.0)
    assert (got.cut, len(got.body)) == ("size", 64 * 1024)


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"x-gzip"])
def test_a_bomb_does_not_unfold(encoding: bytes) -> None:
    """200 MiB of zeros in 200 KiB are cut at the limit, without ever standing in memory."""
    packed = zlib.compressobj(9, wbits=15 if encoding == b"deflate" else 31)
    bomb = b"".join(packed.compress(bytes(_MIB)) for _ in range(200)) + packed.flush()
    tracemalloc.start()
    try:
        got = _get(says(answer(bomb, b"Content-Encoding: " + encoding)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (got.cut, len(got.body)) == ("size", 64 * 1024)
    assert peak < 4 * _MIB


@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        (b"gzip", gzip.compress(b"hello", mtime=0)),
        (b"GZIP", gzip.compress(b"hello", mtime=0)),
        (b"deflate", zlib.compress(b"hello")),
        (b"deflate", zlib.compress(b"hello")[2:-4]),
        (b"identity", b"hello"),
    ],
)
def test_encodings_that_we_ask_for_are_decoded(encoding: bytes, sent: bytes) -> None:
    """gzip and deflate, also as bare deflate, come out as the text."""
    got = _get(says(answer(sent, b"Content-Encoding: " + encoding)))
    assert (got.body, got.cut) == (b"hello", None)


@pytest.mark.parametrize(
    ("encoding", "sent", "cut"),
    [
        (b"br", b"\x0b\x02\x80hello\x03", "encoding"),
        (b"gzip, gzip", gzip.compress(gzip.compress(b"hello", mtime=0), mtime=0), "encoding"),
        (b"gzip", b"hello", "encoding"),
        (b"gzip", gzip.compress(b"hello" * 99, mtime=0)[:-12], "broken"),
        (b"deflate", b"\xff\xff\xff", "encoding"),
    ],
)
def test_encodings_that_are_wrong_cut_the_body(encoding: bytes, sent: bytes, cut: str) -> None:
    """Unknown, nested, false and broken encodings are told, not raised."""
    assert _get(says(answer(sent, b"Content-Encoding: " + encoding))).cut == cut


@pytest.mark.parametrize(
    "head",
    [
        b"X-A: " + b"a" * 300_000,
        b"\r\n".join(b"X-%d: a" % n for n in range(300)),
        b"\r\n".join(b"X-%d: " % n + b"a" * 1000 for n in range(90)),
    ],
    ids=["long", "many", "much"],
)
def test_too_many_headers_fail(head: bytes) -> None:
    """A header too long, too many of them, or too much in all is no answer."""
    with pytest.raises(Unreachable) as ended:
        _get(says(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n"))
    assert ended.value.kind in {Kind.TOO_LARGE, Kind.PROTOCOL}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"<html>hello</html>\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 \xff\xfe\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX\x00A: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \xff\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_what_is_not_http_fails(raw: bytes) -> None:
    """Other protocols, NUL in headers, broken framing and early ends are told as such."""
    try:
        got = _get(says(raw))
    except Unreachable as ended:
        assert ended.kind in {Kind.PROTOCOL, Kind.TIMEOUT}
    else:
        assert got.status == 101


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ],
)
def test_a_body_that_breaks_off_is_kept_as_far_as_it_came(raw: bytes) -> None:
    """Early ends and false chunks cut the body."""
    got = _get(says(raw))
    assert (got.body, got.cut) == (b"abc", "broken")


def test_bodies_are_bytes() -> None:
    """NUL and invalid UTF-8 pass through untouched."""
    odd = bytes(range(256))
    assert _get(says(answer(odd))).body == odd


@given(
    st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_an_answer_or_a_failure(raw: bytes, start: bytes) -> None:
    """Whatever a server sends, the fetch returns, or raises Unreachable, and nothing else."""
    with wire_peer(says(start + raw)) as peer, contextlib.suppress(Unreachable):
        fetch("GET", f"http://{peer.endpoint}/", _policy(peer), follow=False)


@given(st.lists(st.binary(max_size=50), max_size=8), st.sampled_from(["gzip", "deflate", "", "br"]), st.integers(1, 60))
def test_any_body_stays_within_its_limit(pieces: list[bytes], encoding: str, most: int) -> None:
    """No bytes, under any encoding, come out longer than the limit or raise."""
    body = Body(encoding, most)
    for piece in pieces:
        if not body.take(piece):
            break
    assert len(body.finish()) <= most
