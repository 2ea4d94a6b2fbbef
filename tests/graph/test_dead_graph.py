"""A graph that is down, hung or back again: pages wait 2 s at most, and then not at all for a while."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from app.core.errors import Unavailable
from app.core.ids import new_id
from app.graph import gateway, queries
from app.graph.gateway import Circuit, Graph, open_graph
from app.tenancy.context import tenant_scope
from tests.peers.stalling import StallingRelay
from tests.plugins.servers import Bolt

pytestmark = [pytest.mark.graph, pytest.mark.xdist_group("graph")]


@pytest.fixture(autouse=True)
def _tenant() -> Iterator[None]:
    with tenant_scope(new_id()):
        yield


@pytest.fixture(autouse=True)
def _long_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest after a failure does not end amid a test."""
    monkeypatch.setattr(gateway, "_REST_SECONDS", 600.0)


@contextmanager
def _refused() -> Iterator[None]:
    """In time: the driver's own limits are half a minute and more."""
    begun = time.monotonic()
    with pytest.raises(Unavailable) as caught:
        yield
    assert time.monotonic() - begun < 15
    assert caught.value.detail == gateway.DOWN


@contextmanager
def _refused_at_once(graph: Graph) -> Iterator[None]:
    """Without so much as a driver to ask with."""

    def asked() -> None:
        raise AssertionError("the graph was asked")

    with pytest.MonkeyPatch.context() as patch:
        for link in (graph._hasty, graph._patient):
            patch.setattr(link, "driver", asked)
        with _refused():
            yield


def test_a_connection_and_an_answer_are_each_waited_for_less_than_two_seconds() -> None:
    """What the limits of a read are."""
    assert gateway._CONNECT_SECONDS <= 1.0
    assert _at(1)._hasty.seconds < 2.0


def _at(port: int) -> Graph:
    graph = open_graph(f"bolt://127.0.0.1:{port}", "neo4j", "secret")
    assert graph is not None
    return graph


def test_nobody_listens() -> None:
    """A closed port is told, and at once the next times."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    graph = _at(port)
    with _refused():
        graph.read(queries.COUNT)
    for _ in range(20):
        with _refused_at_once(graph):
            graph.read(queries.COUNT)


def test_somebody_listens_and_says_nothing() -> None:
    """A server that takes the connection and never answers is told, and at once the next time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        graph = _at(silent.getsockname()[1])
        with _refused():
            graph.read(queries.COUNT)
        with _refused_at_once(graph):
            graph.read(queries.COUNT)


def test_no_address_answers() -> None:
    """An address from which nothing at all comes back is told."""
    graph = open_graph("bolt://192.0.2.1:7687", "neo4j", "secret")
    assert graph is not None
    with _refused():
        graph.read(queries.COUNT)


@contextmanager
def _relayed(bolt: Bolt) -> Iterator[tuple[Graph, StallingRelay]]:
    address = urlsplit(bolt.uri)
    relay = StallingRelay(address.hostname or "", address.port or 0)
    graph = open_graph(f"bolt://127.0.0.1:{relay.port}", bolt.user, bolt.password, bolt.database)
    assert graph is not None
    graph.read(queries.COUNT)
    yield graph, relay
    relay.close()
    graph.close()


def test_a_server_that_stops_answering(bolt: Bolt) -> None:
    """Connections in use whose server falls silent are told; when it comes back, so do the answers after the rest."""
    with _relayed(bolt) as (graph, relay):
        relay.stall()
        with _refused():
            graph.read(queries.COUNT)
        with _refused_at_once(graph):
            graph.ping()
        relay.resume()
        graph._circuit._clock = lambda: time.monotonic() + gateway._REST_SECONDS
        assert graph.read(queries.COUNT) == [{"nodes": 0}]


def test_an_idle_connection_whose_server_stopped(bolt: Bolt) -> None:
    """The same holds for a connection that has been idle."""
    with _relayed(bolt) as (graph, relay):
        time.sleep(2.2)
        relay.stall()
        with _refused():
            graph.read(queries.COUNT)


def test_a_restart_is_not_noticed(bolt: Bolt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that died with an earlier server fail nobody once the new one answers."""
    monkeypatch.setattr(gateway, "_QUICK_SECONDS", 60.0)
    with _relayed(bolt) as (graph, relay):
        for _ in range(3):
            relay.sever()
            assert graph.read(queries.COUNT) == [{"nodes": 0}]
            relay.sever()
            graph.write(queries.PURGE_REST, limit=1)


def test_wrong_password_is_told_in_our_words(arcadedb: Bolt) -> None:
    """A graph that does not let us in is unavailable, and is not asked again at once."""
    graph = open_graph(arcadedb.uri, arcadedb.user, "not the password", arcadedb.database)
    assert graph is not None
    with _refused():
        graph.read(queries.COUNT)
    with _refused_at_once(graph):
        graph.read(queries.COUNT)


def test_after_the_rest_one_caller_tries() -> None:
    """During the rest all fail at once; after it one tries while the others still fail; its success lets all in."""
    now = [0.0]
    circuit = Circuit(clock=lambda: now[0])
    circuit.enter()
    circuit.failed()
    with pytest.raises(Unavailable):
        circuit.enter()
    now[0] += gateway._REST_SECONDS
    circuit.enter()
    with pytest.raises(Unavailable):
        circuit.enter()
    circuit.succeeded()
    circuit.enter()
    circuit.enter()
