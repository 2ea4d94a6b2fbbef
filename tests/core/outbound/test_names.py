"""Look-ups: every address checked, and none looked up twice."""

import socket
import time

import pytest

from app.core.outbound import Kind, Policy, Refused, Unreachable, connect, connections, fetch, names, resolve
from tests.peers.dns import FAILED, REFUSED, SILENT, dns_peer
from tests.peers.wire import answer, says, wire_peer

_PUBLIC4, _PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"


def test_every_address_of_a_name_is_given() -> None:
    """A and AAAA records come back together, IPv4 first."""
    script = {("a.example", "A"): [[_PUBLIC4, "1.1.1.1"]], ("a.example", "AAAA"): [[_PUBLIC6]]}
    with dns_peer(script) as peer:
        found = resolve("A.example.", Policy(resolvers=(peer.address,)))
    assert set(found[:2]) == {_PUBLIC4, "1.1.1.1"}
    assert found[2:] == [_PUBLIC6]


@pytest.mark.parametrize(
    ("four", "six"),
    [
        ([_PUBLIC4, "10.0.0.1"], []),
        (["127.0.0.1"], []),
        ([_PUBLIC4], ["::1"]),
        ([_PUBLIC4], [_PUBLIC6, "fd00::1"]),
        ([_PUBLIC4], ["::ffff:127.0.0.1"]),
        ([], ["64:ff9b::7f00:1"]),
        ([f"1.1.{n}.1" for n in range(70)], []),
    ],
)
def test_one_bad_address_refuses_the_name(four: list[str], six: list[str]) -> None:
    """A single address that is not global among good ones, of either kind, is enough; so are too many addresses."""
    with dns_peer({("a.example", "A"): [four], ("a.example", "AAAA"): [six]}) as peer, pytest.raises(Refused):
        resolve("a.example", Policy(resolvers=(peer.address,)))


def test_a_refusal_does_not_tell_an_inner_address() -> None:
    """What a resolver of ours knows about our inside does not reach the reader."""
    with dns_peer({("a.example", "A"): [["10.20.30.40"]]}) as peer, pytest.raises(Refused) as refused:
        resolve("a.example", Policy(resolvers=(peer.address,)))
    assert "10.20.30.40" not in str(refused.value)


def test_an_exception_holds_for_its_port_alone() -> None:
    """`address:port` lets that port of that address through, and neither another port nor another address."""
    script = {("a.example", "A"): [["127.0.0.1"]], ("b.example", "A"): [["127.0.0.1", "127.0.0.2"]]}
    with dns_peer(script) as peer:
        policy = Policy(resolvers=(peer.address,), allowed=frozenset({"127.0.0.1:8080"}))
        assert resolve("a.example", policy, port=8080) == ["127.0.0.1"]
        for host, port in (("a.example", 8081), ("a.example", None), ("b.example", 8080), ("127.0.0.2", 8080)):
            with pytest.raises(Refused):
                resolve(host, policy, port=port)


def test_a_name_that_turns_inward_is_connected_to_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name that answers with a global address first and with loopback next, only the first is ever dialled."""
    dialled: list[str] = []

    def dial(address: str, port: int, seconds: float) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(connections, "dial", dial)
    with dns_peer({("a.example", "A"): [[_PUBLIC4], ["127.0.0.1"]]}) as peer, pytest.raises(Unreachable) as failed:
        fetch("GET", "http://a.example/", Policy(resolvers=(peer.address,)))
    assert failed.value.kind is Kind.CONNECT
    assert dialled == [_PUBLIC4]
    assert peer.asked["a.example", "A"] == 1


def test_a_name_that_rebinds_reaches_only_the_address_that_was_checked() -> None:
    """With servers on both addresses each request goes to the checked one, or nowhere."""
    with (
        wire_peer(says(answer(b"outer"))) as outer,
        wire_peer(says(answer(b"inner")), "127.0.0.2", outer.port) as inner,
    ):
        with dns_peer({("a.example", "A"): [["127.0.0.1"], ["127.0.0.2"]]}) as peer:
            policy = Policy(resolvers=(peer.address,), allowed=frozenset({outer.endpoint}))
            assert fetch("GET", f"http://a.example:{outer.port}/", policy).body == b"outer"
            with pytest.raises(Refused):
                fetch("GET", f"http://a.example:{outer.port}/", policy)
        assert inner.requests == []
    assert b"Host: a.example:" in outer.requests[0].replace(b"host:", b"Host:")


def test_the_second_address_is_tried_where_the_first_is_closed() -> None:
    """A connection that is refused is no failure while another checked address is left."""
    script = {("a.example", "A"): [["127.0.0.1", "127.0.0.2"]]}
    with wire_peer(says(answer(b"here")), "127.0.0.2") as server, dns_peer(script) as peer:
        allowed = frozenset({f"127.0.0.1:{server.port}", server.endpoint})
        policy = Policy(resolvers=(peer.address,), allowed=allowed)
        assert fetch("GET", f"http://a.example:{server.port}/", policy).address == "127.0.0.2"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ({}, Kind.NO_NAME),
        ({("a.example", "TXT"): [["x"]]}, Kind.NO_NAME),
        ({("a.example", "A"): [SILENT], ("a.example", "AAAA"): [SILENT]}, Kind.TIMEOUT),
        ({("a.example", "A"): [REFUSED], ("a.example", "AAAA"): [REFUSED]}, Kind.DNS),
        ({("a.example", "A"): [FAILED]}, Kind.DNS),
    ],
)
def test_a_look_up_that_fails_says_how(script: dict, kind: Kind) -> None:
    """No such name, silence and failure are told apart, within the time for connecting."""
    began = time.monotonic()
    with dns_peer(script) as peer, pytest.raises(Unreachable) as failed:
        limit = 1 if kind is Kind.TIMEOUT else 6
        resolve("a.example", Policy(resolvers=(peer.address,), connect_seconds=limit))
    assert failed.value.kind is kind
    assert time.monotonic() - began < 8


def test_one_kind_of_record_is_enough() -> None:
    """A server that fails for AAAA does not hide the A records: the connection is pinned to those."""
    with dns_peer({("a.example", "A"): [[_PUBLIC4]], ("a.example", "AAAA"): [FAILED]}) as peer:
        assert resolve("a.example", Policy(resolvers=(peer.address,), connect_seconds=20)) == [_PUBLIC4]


def test_the_systems_own_look_up_is_checked_alike() -> None:
    """Without resolvers the system's answer for localhost is refused, and taken where its exact port is allowed."""
    with pytest.raises(Refused):
        connect("localhost", 8080, Policy())
    with pytest.raises(Refused):
        connect("127.0.0.1", 8080, Policy(allowed=frozenset({"127.0.0.1:8081"})))


def test_a_system_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library's look-up, which has no time limit of its own, is given up."""
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *_, **__: time.sleep(2) or [])
    with pytest.raises(Unreachable) as failed:
        resolve("a.example", Policy(connect_seconds=0.2))
    assert failed.value.kind is Kind.TIMEOUT


def test_a_scoped_address_from_the_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address with a scope, as the C library gives for link-local ones, is not global."""
    row = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", 0, 0, 2))
    monkeypatch.setattr(names.socket, "getaddrinfo", lambda *_, **__: [row])
    with pytest.raises(Refused):
        resolve("a.example", Policy())


def test_a_resolver_that_is_none_fails_as_dns() -> None:
    """A resolver that is no address is told as a failure of DNS."""
    with pytest.raises(Unreachable) as failed:
        resolve("a.example", Policy(resolvers=("resolver.example",)))
    assert failed.value.kind is Kind.DNS
