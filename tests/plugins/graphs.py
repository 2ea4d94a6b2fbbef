"""The graph in a test: each engine that is here, the gateway on it, and a way round the gateway for planting."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import neo4j
import pytest

from app.core.ids import new_id
from app.graph.gateway import Graph, open_graph
from app.graph.projections import purge_tenant
from app.tenancy.context import tenant_scope
from tests.plugins.servers import Bolt

ENGINES = {"arcadedb": "arcadedb", "neo4j": "neo4j_server"}


@pytest.fixture(scope="session", params=sorted(ENGINES))
def bolt(request: pytest.FixtureRequest) -> Bolt:
    """Each engine in turn."""
    server: Bolt = request.getfixturevalue(ENGINES[request.param])
    return server


@pytest.fixture(scope="session")
def graph(bolt: Bolt) -> Iterator[Graph]:
    """The gateway on a prepared graph, shared by the tests of an engine."""
    opened = open_graph(bolt.uri, bolt.user, bolt.password, bolt.database)
    assert opened is not None
    opened.prepare()
    yield opened
    opened.close()


@pytest.fixture
def graph_tenants(graph: Graph) -> Iterator[tuple[UUID, UUID]]:
    """Two tenants without a node, purged afterwards."""
    tenants = (new_id(), new_id())
    yield tenants
    for tenant_id in tenants:
        with tenant_scope(tenant_id):
            purge_tenant(graph)


@pytest.fixture(scope="session")
def raw_cypher(bolt: Bolt) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Runs any statement past the gateway: for planting violations and for looking from outside."""
    auth = (bolt.user, bolt.password)
    with neo4j.GraphDatabase.driver(bolt.uri, auth=auth, notifications_min_severity="OFF") as driver:

        def run(text: str, **parameters: Any) -> list[dict[str, Any]]:
            with driver.session(database=bolt.database) as session:
                return session.run(text, parameters).data()

        yield run
