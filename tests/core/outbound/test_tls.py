"""TLS on a pinned connection: the name that was asked for, the context that was given."""

import contextlib
import ssl
import time
from pathlib import Path

import pytest

from app.core.outbound import Kind, Policy, Refused, Unreachable, connect, fetch, handshake, unverified_context
from tests.peers.certificates import self_signed, serving
from tests.peers.dns import dns_peer
from tests.peers.wire import answer, says, wire_peer


def test_the_name_is_checked_on_the_pinned_address(tmp_path: Path) -> None:
    """The server sees the name (SNI, Host), the certificate must be for it, and the address is the checked one."""
    pem = self_signed(tmp_path, "a.example")
    context = serving(pem)
    seen: list[str] = []
    context.sni_callback = lambda _socket, name, _context: seen.append(name)
    trust = ssl.create_default_context(cafile=str(pem))
    script = {(name, "A"): [["127.0.0.1"]] for name in ("a.example", "b.example")}
    with dns_peer(script) as names, wire_peer(says(answer(b"safe")), tls=context) as peer:
        policy = Policy(allowed=frozenset({peer.endpoint}), resolvers=(names.address,))
        got = fetch("GET", f"https://a.example:{peer.port}/", policy, verify=trust)
        with pytest.raises(Unreachable) as wrong:
            fetch("GET", f"https://b.example:{peer.port}/", policy, verify=trust)
        with pytest.raises(Unreachable) as unknown:
            fetch("GET", f"https://a.example:{peer.port}/", policy)
        assert fetch("GET", f"https://b.example:{peer.port}/", policy, verify=False).body == b"safe"
    assert (got.body, got.address) == (b"safe", "127.0.0.1")
    assert seen == ["a.example", "b.example", "a.example", "b.example"]
    assert wrong.value.kind is unknown.value.kind is Kind.TLS
    assert "b.example" in str(wrong.value)


def test_a_handshake_uses_what_it_is_given(tmp_path: Path) -> None:
    """A caller picks the versions; a server that has none of them is told as a TLS failure with its cause."""
    context = serving(self_signed(tmp_path, "127.0.0.1"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with wire_peer(says(), tls=context) as peer:
        policy = Policy(allowed=frozenset({peer.endpoint}))
        with contextlib.closing(handshake("127.0.0.1", peer.port, policy, unverified_context())) as secured:
            assert secured.version() == "TLSv1.3"
            assert secured.getpeercert(binary_form=True)
        old = ssl.create_default_context()
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(Unreachable) as failed:
            handshake("127.0.0.1", peer.port, policy, old)
    assert failed.value.kind is Kind.TLS
    assert isinstance(failed.value.__cause__, ssl.SSLError)


def test_a_handshake_that_never_ends_ends_in_time() -> None:
    """A server that takes the connection and says nothing is given up."""
    with wire_peer(lambda _connection, _head: time.sleep(2)) as peer:
        policy = Policy(allowed=frozenset({peer.endpoint}), read_seconds=0.3)
        with pytest.raises(Unreachable) as failed:
            handshake("127.0.0.1", peer.port, policy, unverified_context())
    assert failed.value.kind is Kind.TIMEOUT


def test_plain_http_where_tls_is_asked_for_is_a_tls_failure() -> None:
    """A server that answers in clear is not taken for a secure one."""
    with wire_peer(says(answer()), eager=True) as peer:
        policy = Policy(allowed=frozenset({peer.endpoint}))
        with connect("127.0.0.1", peer.port, policy) as clear:
            clear.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert clear.recv(4) == b"HTTP"
        with pytest.raises(Unreachable) as failed:
            fetch("GET", f"https://{peer.endpoint}/", policy, verify=False)
    assert failed.value.kind is Kind.TLS


def test_a_connection_is_refused_before_it_is_made() -> None:
    """Raw access obeys the same rules: no inner address, no port of another protocol, no odd spelling."""
    for host, port in (("127.0.0.1", 8443), ("0x7f.1", 443), ("93.184.216.34", 25), ("::ffff:127.0.0.1", 443)):
        with pytest.raises(Refused):
            connect(host, port, Policy())
        with pytest.raises(Refused):
            handshake(host, port, Policy(), unverified_context())
