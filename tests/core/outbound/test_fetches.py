"""Requests and redirects: where they go, and what goes along."""

import socket

import pytest

from app.core.outbound import Kind, Policy, Refused, Unreachable, fetch
from tests.peers.dns import dns_peer
from tests.peers.wire import Handler, WirePeer, answer, moved, says, wire_peer


def _allow(*peers: WirePeer) -> Policy:
    return Policy(allowed=frozenset(peer.endpoint for peer in peers), read_seconds=2, total_seconds=5)


def _by_path(pages: dict[bytes, bytes]) -> Handler:
    def handler(connection: socket.socket, request: bytes) -> None:
        connection.sendall(pages[request.split(b" ")[1]])

    return handler


def test_an_answer_keeps_its_headers_as_they_came() -> None:
    """Order, case, duplicates and bytes that are no text survive."""
    raw = [b"X-B: 1", b"set-cookie: a=1", b"Set-Cookie: b=2; Secure", b"X-Odd: \xff\xfe\xc3\xa9", b"X-Empty:"]
    with wire_peer(says(answer(b"body", *raw))) as peer:
        got = fetch("GET", f"http://{peer.endpoint}/", _allow(peer))
    assert got.headers[:3] == (("X-B", "1"), ("set-cookie", "a=1"), ("Set-Cookie", "b=2; Secure"))
    assert got.headers[3][1].encode("latin-1") == b"\xff\xfe\xc3\xa9"
    assert got.values("set-COOKIE") == ["a=1", "b=2; Secure"]
    assert (got.status, got.body, got.cut, got.address) == (200, b"body", None, "127.0.0.1")
    assert not got.truncated


def test_a_request_names_itself_and_nothing_else() -> None:
    """Host, user agent and what the caller sets go out, once each; a caller does not set the host or the framing."""
    with wire_peer(says(answer())) as peer:
        policy = Policy(allowed=frozenset({peer.endpoint}), user_agent="Sentinel (scan 7; https://a.example/scans)")
        extra = {"Host": "other.example", "Accept": "text/x", "Transfer-Encoding": "chunked", "Content-Length": "9"}
        fetch("POST", f"http://{peer.endpoint}/a?b=c#d", policy, headers=extra, body=b"hello")
    head, _, body = peer.requests[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /a?b=c http/1.1"
    assert sorted(lines[1:]) == [
        b"accept-encoding: gzip, deflate",
        b"accept: text/x",
        b"connection: close",
        b"content-length: 5",
        b"host: " + peer.endpoint.encode(),
        b"user-agent: sentinel (scan 7; https://a.example/scans)",
    ]
    assert body in (b"", b"hello")


def test_redirects_are_followed_and_told() -> None:
    """Each hop is kept with its status and headers; relative and odd places are resolved as browsers do."""
    pages = {b"/": moved("a/b"), b"/a/b": moved("../c d", b"308 Permanent Redirect"), b"/c%20d": answer(b"end")}
    with wire_peer(_by_path(pages)) as peer:
        got = fetch("GET", f"http://{peer.endpoint}", _allow(peer))
        still = fetch("GET", f"http://{peer.endpoint}", _allow(peer), follow=False)
    assert got.body == b"end"
    assert got.url == f"http://{peer.endpoint}/c%20d"
    assert [(hop.url.removeprefix(f"http://{peer.endpoint}"), hop.status) for hop in got.history] == [
        ("/", 302),
        ("/a/b", 308),
    ]
    assert (still.status, still.values("location"), still.history) == (302, ["a/b"], ())


@pytest.mark.parametrize(
    "place",
    [
        "http://127.0.0.1:9/",
        "http://127.0.0.1:1080/",
        "//127.0.0.1:1080/",
        "http://127.0.0.2:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://localhost:1080/",
        "http://0x7f.1:{port}/",
        "http://2130706433:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "http://user:pass@127.0.0.1:{port}/",
        "http:\\\\127.0.0.1:{port}",
        "/\\127.0.0.1:1080/",
        "file:///etc/passwd",
        "ftp://127.0.0.1:{port}/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "http://[::1",
        "http://127.0.0.1:{port}/\x01",
    ],
)
def test_a_redirect_to_where_we_do_not_go_is_refused(place: str) -> None:
    """Each hop is checked anew: inner addresses, other ports, odd spellings, users and schemes end the chain."""
    with wire_peer(lambda connection, _: connection.sendall(target)) as peer:
        target = moved(place.format(port=peer.port))
        with pytest.raises((Refused, Unreachable)) as ended:
            fetch("GET", f"http://{peer.endpoint}/", _allow(peer))
    assert len(peer.requests) == 1
    if "\x01" not in place:
        assert isinstance(ended.value, Refused)
        assert [hop.status for hop in ended.value.history] == [302]


def test_a_redirect_by_name_to_an_inner_address_is_refused() -> None:
    """A name that a redirect leads to is looked up and checked like the first."""
    script = {("out.example", "A"): [["127.0.0.1"]], ("in.example", "A"): [["127.0.0.2"]]}
    with dns_peer(script) as names, wire_peer(lambda connection, _: connection.sendall(target)) as peer:
        target = moved(f"http://in.example:{peer.port}/")
        policy = Policy(allowed=frozenset({peer.endpoint}), resolvers=(names.address,))
        with pytest.raises(Refused):
            fetch("GET", f"http://out.example:{peer.port}/", policy)


def test_a_circle_of_redirects_ends() -> None:
    """After `max_redirects` hops the fetch fails and tells them."""
    with wire_peer(says(moved("/"))) as peer, pytest.raises(Unreachable) as ended:
        fetch("GET", f"http://{peer.endpoint}/", _allow(peer))
    assert ended.value.kind is Kind.REDIRECTS
    assert len(ended.value.history) == 6
    assert len(peer.requests) == 6


def test_credentials_stay_with_the_origin_that_they_were_given_for() -> None:
    """Same host and port keep the caller's headers; another port loses all but harmless ones, and gets no cookie."""
    secret = {"Authorization": "Bearer s3cret", "Cookie": "sid=s3cret", "X-Api-Key": "s3cret", "Accept": "text/html"}
    with wire_peer(says(answer())) as other:
        pages = {b"/": moved("/same"), b"/same": answer(b"", b"Set-Cookie: a=1", status=b"302 Found")}
        pages[b"/same"] = pages[b"/same"].replace(b"Set-", f"Location: http://{other.endpoint}/\r\nSet-".encode())
        with wire_peer(_by_path(pages)) as peer:
            fetch("GET", f"http://{peer.endpoint}/", _allow(peer, other), headers=secret)
    assert peer.requests[1].count(b"s3cret") == 3
    assert b"s3cret" not in other.requests[0]
    assert b"cookie" not in other.requests[0].lower()
    assert b"text/html" in other.requests[0]


def test_a_body_goes_nowhere_that_it_was_not_sent() -> None:
    """307 to another origin with a body is refused; 303 and 302 turn a POST into a GET without it."""
    with wire_peer(says(answer(b"end"))) as other:
        kept = says(moved(f"http://{other.endpoint}/", b"307 Temporary Redirect"))
        with wire_peer(kept) as peer, pytest.raises(Refused):
            fetch("POST", f"http://{peer.endpoint}/", _allow(peer, other), body=b"client_secret=x")
        assert other.requests == []
        for status in (b"302 Found", b"303 See Other"):
            with wire_peer(says(moved(f"http://{other.endpoint}/", status))) as peer:
                fetch(
                    "POST", f"http://{peer.endpoint}/", _allow(peer, other), body=b"x", headers={"content-type": "a/b"}
                )
    assert [request.split(b" ")[0] for request in other.requests] == [b"GET", b"GET"]
    assert not any(b"content-" in request.lower() for request in other.requests)


def test_a_body_goes_again_to_the_same_origin() -> None:
    """307 within one host and port repeats method and body."""
    pages = {b"/": moved("/b", b"307 Temporary Redirect"), b"/b": answer(b"end")}
    with wire_peer(_by_path(pages)) as peer:
        assert fetch("POST", f"http://{peer.endpoint}/", _allow(peer), body=b"x").body == b"end"
    assert peer.requests[1].startswith(b"POST /b ")


def test_proxies_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable moves our traffic to a proxy."""
    with wire_peer(says(answer(b"proxy"))) as proxy, wire_peer(says(answer(b"direct"))) as peer:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://{proxy.endpoint}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert fetch("GET", f"http://{peer.endpoint}/", _allow(peer, proxy)).body == b"direct"
        assert proxy.requests == []


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", {"X-A": "b\r\nX-C: d"}),
        ("GET", {"X-A\r\nX-C": "d"}),
        ("GET", {"X A": "d"}),
        ("GET", {"X-A": "\u20ac"}),
        ("GET", {"X-A": "a\x00b"}),
        ("GET / HTTP/1.1\r\nX-C: d\r\n\r\nGET", {}),
    ],
)
def test_a_request_cannot_be_split(method: str, headers: dict[str, str]) -> None:
    """Line ends and other signs that belong into no header or method send nothing at all."""
    with wire_peer(says(answer())) as peer, pytest.raises(Refused):
        fetch(method, f"http://{peer.endpoint}/", _allow(peer), headers=headers)
    assert not any(b"X-C" in request for request in peer.requests)


def test_head_has_no_body() -> None:
    """The length that HEAD announces is not waited for."""
    with wire_peer(says(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")) as peer:
        got = fetch("head", f"http://{peer.endpoint}/", _allow(peer))
    assert (got.status, got.body, got.cut) == (200, b"", None)
