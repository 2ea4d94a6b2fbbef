"""The gateway: a tenant always, words of our own, data that stays data."""

import inspect
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from app.core.errors import Unavailable
from app.core.ids import new_id
from app.graph import queries
from app.graph.gateway import REFUSED, Graph, label_of, open_graph
from app.graph.queries import Mode, NamedQuery
from app.tenancy.context import tenant_scope
from tests.plugins.servers import Bolt

pytestmark = [pytest.mark.graph, pytest.mark.xdist_group("graph")]

HOSTILE = {
    "quotes": "'\"`'; MATCH (n) DETACH DELETE n //",
    "unicode escape": "\\u0027 OR 1=1 \\u0022",
    "NUL": "a\x00b",
    "braces": "}) RETURN 1 UNION MATCH (n) RETURN n {",
    "label": "Tenant_0123456789abcdef0123456789abcdef`:X",
    "64 KB": "x" * 65_536,
    "bidi and emoji": "\u202egnp.exe \U0001f642",
}


def _asset(name: str, key: str = "one", at: int = 1) -> dict[str, Any]:
    return {"key": key, "at": at, "id": key, "name": name, "kind": "web", "address": "https://example.test"}


def test_work_without_a_tenant_is_refused(graph: Graph) -> None:
    """Neither read nor write runs where the context has no tenant."""
    with pytest.raises(PermissionError):
        graph.read(queries.COUNT)
    with pytest.raises(PermissionError):
        graph.write(queries.ADD_ASSETS, rows=[_asset("x")])


def test_the_tenant_is_no_argument() -> None:
    """No public method of the gateway takes a tenant, and no caller can pass what only the gateway sets."""
    for method in (Graph.read, Graph.write, Graph.prepare, Graph.ping):
        assert not {"tenant", "tenant_id", "t", "prefix"} & inspect.signature(method).parameters.keys()
    graph = open_graph("bolt://127.0.0.1:9", "", "")
    assert graph is not None
    with tenant_scope(new_id()):
        for name in ("t", "prefix"):
            with pytest.raises(ValueError, match="takes"):
                graph.read(queries.COUNT, **{name: "Tenant_other"})


def test_no_graph_without_an_address() -> None:
    """Where no address is configured there is no graph, rather than one that fails."""
    assert open_graph(None, "neo4j", "") is None


def test_prepare_may_run_again(graph: Graph, raw_cypher: Callable[..., list[dict[str, Any]]]) -> None:
    """Preparing is idempotent and leaves one unique key per node type."""
    graph.prepare()
    graph.prepare()
    kept = raw_cypher("SHOW CONSTRAINTS")
    assert sorted(row["labelsOrTypes"][0] for row in kept if row["properties"] == ["_key"]) == [
        "Asset",
        "Finding",
        "Scan",
    ]


def test_the_first_write_prepares(bolt: Bolt, graph: Graph, raw_cypher: Callable[..., list[dict[str, Any]]]) -> None:
    """A graph that nobody prepared gets its unique keys with the first write, also from many threads at once."""
    raw_cypher("DROP CONSTRAINT scan_key IF EXISTS")
    fresh = open_graph(bolt.uri, bolt.user, bolt.password, bolt.database)
    assert fresh is not None
    tenant_id = new_id()

    def write(_: int) -> None:
        with tenant_scope(tenant_id):
            fresh.write(queries.PURGE_REST, limit=1)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(8)))
    assert ["Scan"] in [row["labelsOrTypes"] for row in raw_cypher("SHOW CONSTRAINTS")]
    fresh.close()


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_values_stay_data(graph: Graph, graph_tenants: tuple[UUID, UUID], value: str) -> None:
    """What a value says is stored and returned byte for byte and does nothing else."""
    with tenant_scope(graph_tenants[0]):
        graph.write(queries.ADD_ASSETS, rows=[_asset(value), _asset("calm", "two")])
        assert graph.read(queries.ASSET, key="one")[0]["name"] == value
        assert graph.read(queries.COUNT) == [{"nodes": 2}]


@pytest.mark.parametrize("key", [value[:500] for value in HOSTILE.values()], ids=HOSTILE.keys())
def test_hostile_keys_stay_data(graph: Graph, graph_tenants: tuple[UUID, UUID], key: str) -> None:
    """A natural key with any content finds its own node alone."""
    with tenant_scope(graph_tenants[0]):
        graph.write(queries.ADD_ASSETS, rows=[_asset("hostile", key), _asset("calm")])
        assert [row["name"] for row in graph.read(queries.ASSET, key=key)] == ["hostile"]


@pytest.mark.parametrize("key", ["", "x" * 501, None, 7])
def test_a_key_that_no_index_holds_is_refused(key: Any) -> None:
    """Keys are text of 1 to 500 characters."""
    graph = open_graph("bolt://127.0.0.1:9", "", "")
    assert graph is not None
    with tenant_scope(new_id()), pytest.raises(ValueError, match="natural key"):
        graph.read(queries.ASSET, key=key)


def test_equal_natural_keys_never_meet(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """Two tenants with the same natural key have a node each."""
    for tenant_id, name in zip(graph_tenants, ("of a", "of b"), strict=True):
        with tenant_scope(tenant_id):
            graph.write(queries.ADD_ASSETS, rows=[_asset(name)])
    for tenant_id, name in zip(graph_tenants, ("of a", "of b"), strict=True):
        with tenant_scope(tenant_id):
            assert [row["name"] for row in graph.read(queries.ASSET, key="one")] == [name]
            assert graph.read(queries.COUNT) == [{"nodes": 1}]


def test_labels_are_made_of_ids() -> None:
    """A label holds the id of its tenant and nothing of the slug: `acme-corp` and `acme_corp` cannot share one."""
    one, two = new_id(), new_id()
    assert label_of(one) != label_of(two)
    assert label_of(one) == "Tenant_" + str(one).replace("-", "")


def test_modes_are_kept_apart(graph: Graph) -> None:
    """A statement that writes cannot be read, nor one that reads be written."""
    with tenant_scope(new_id()):
        with pytest.raises(ValueError, match="writes"):
            graph.read(queries.PURGE_REST, limit=1)
        with pytest.raises(ValueError, match="does not write"):
            graph.write(queries.COUNT)


def test_the_drivers_words_stay_inside(
    graph: Graph, graph_tenants: tuple[UUID, UUID], raw_cypher: Callable[..., list[dict[str, Any]]]
) -> None:
    """An error that names a node and its value reaches nobody: a key that is taken gives our own sentence."""
    tenant_id = graph_tenants[0]
    raw_cypher("CREATE (n:Asset {_key: $k, name: 'hidden'})", k=f"{tenant_id.hex}|one")
    try:
        with tenant_scope(tenant_id), pytest.raises(Unavailable) as caught:
            graph.write(queries.ADD_ASSETS, rows=[_asset("x")])
        assert caught.value.detail == REFUSED
        assert caught.value.__cause__ is None
    finally:
        raw_cypher("MATCH (n:Asset {_key: $k}) DETACH DELETE n", k=f"{tenant_id.hex}|one")


def test_answers_have_a_limit(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """An answer with more rows than its query allows is refused, not cut in silence."""
    few = NamedQuery("few", Mode.READ, queries.ASSETS.text, queries.ASSETS.parameters, most=2)
    with tenant_scope(graph_tenants[0]):
        graph.write(queries.ADD_ASSETS, rows=[_asset("x", str(i)) for i in range(3)])
        assert len(graph.read(few, limit=2)) == 2
        with pytest.raises(Unavailable, match="larger"):
            graph.read(few, limit=3)


def test_nodes_are_never_returned(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """A whole node, which bears label and key, cannot come out, not even inside a list."""
    nodes = NamedQuery("nodes", Mode.READ, queries.COUNT.text)
    object.__setattr__(nodes, "text", "MATCH (n:$($t)) RETURN collect(n) AS nodes")  # which cannot be made
    with tenant_scope(graph_tenants[0]):
        graph.write(queries.ADD_ASSETS, rows=[_asset("x")])
        with pytest.raises(TypeError, match="Node"):
            graph.read(nodes)


def test_neo4j_enforces_reading(neo4j_server: Any) -> None:
    """On Neo4j even a statement that writes under the name of a read changes nothing."""
    graph = open_graph(neo4j_server.uri, neo4j_server.user, neo4j_server.password, neo4j_server.database)
    assert graph is not None
    lie = NamedQuery("lie", Mode.READ, queries.ADD_ASSETS.text, queries.ADD_ASSETS.parameters)
    with tenant_scope(new_id()):
        with pytest.raises(Unavailable, match="refused"):
            graph.read(lie, rows=[_asset("x")])
        assert graph.read(queries.COUNT) == [{"nodes": 0}]
    graph.close()


def _count_in_child(graph: Graph, tenant_id: UUID) -> None:
    with tenant_scope(tenant_id):
        os._exit(graph.read(queries.COUNT)[0]["nodes"])


def test_a_forked_process_has_its_own_connections(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """A graph that was used before a fork works in the child, and goes on working in the parent."""
    with tenant_scope(graph_tenants[0]):
        graph.write(queries.ADD_ASSETS, rows=[_asset("x", str(i)) for i in range(3)])
        children = [
            multiprocessing.get_context("fork").Process(target=_count_in_child, args=(graph, graph_tenants[0]))
            for _ in range(2)
        ]
        for child in children:
            child.start()
        assert graph.read(queries.COUNT) == [{"nodes": 3}]
        for child in children:
            child.join(20)
        assert [child.exitcode for child in children] == [3, 3]
        assert graph.read(queries.COUNT) == [{"nodes": 3}]
