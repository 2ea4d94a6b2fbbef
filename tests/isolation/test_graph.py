"""Every named query, run by one tenant against the real ids of another, on each engine."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from app.core.errors import Unavailable
from app.core.ids import new_id
from app.graph import gateway, queries
from app.graph.gateway import Graph, label_of
from app.graph.projections import AssetFields, FindingFields, ScanFields, ScanPicture, project_scan, purge_tenant, sweep
from app.graph.queries import Mode, NamedQuery, every_query
from app.tenancy.context import tenant_scope

pytestmark = [pytest.mark.graph, pytest.mark.xdist_group("graph")]

Raw = Callable[..., list[dict[str, Any]]]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = 4_000_000_000_000_000


@dataclass(frozen=True)
class Ids:
    """What the first tenant has: a linked scan, and three nodes that nothing links yet."""

    asset: str
    scan: str
    finding: str
    lone_asset: str
    lone_scan: str
    lone_finding: str


def _asset_rows(ids: Ids) -> list[dict[str, Any]]:
    return [
        {"key": key, "id": key, "at": LATER, "name": "intruder", "kind": "x", "address": "x"}
        for key in (ids.asset, str(new_id()))
    ]


def _scan_rows(ids: Ids) -> list[dict[str, Any]]:
    return [
        {"key": key, "id": key, "at": LATER, "tool": "intruder", "finished_at": "x"}
        for key in (ids.scan, str(new_id()))
    ]


def _finding_rows(ids: Ids) -> list[dict[str, Any]]:
    fields = {"at": LATER, "rule": "intruder", "title": "intruder", "severity": "x", "status": "x"}
    return [{"key": key, "id": key, **fields} for key in (ids.finding, str(new_id()))]


# The arguments with which each query reaches the nodes of the tenant whose ids they are.
ARGUMENTS: dict[str, Callable[[Ids], dict[str, Any]]] = {
    "add_assets": lambda ids: {"rows": _asset_rows(ids)},
    "set_assets": lambda ids: {"rows": _asset_rows(ids)},
    "add_scans": lambda ids: {"rows": _scan_rows(ids)},
    "set_scans": lambda ids: {"rows": _scan_rows(ids)},
    "add_findings": lambda ids: {"rows": _finding_rows(ids)},
    "set_findings": lambda ids: {"rows": _finding_rows(ids)},
    "link_examined": lambda ids: {"scan_key": ids.lone_scan, "asset_key": ids.lone_asset, "touch": "x"},
    "link_has": lambda ids: {"asset_key": ids.lone_asset, "rows": [{"key": ids.lone_finding}], "touch": "x"},
    "link_saw": lambda ids: {"scan_key": ids.lone_scan, "rows": [{"key": ids.lone_finding}], "touch": "x"},
    "assets": lambda ids: {"limit": 100},
    "asset": lambda ids: {"key": ids.asset},
    "findings_of": lambda ids: {"rows": [{"key": ids.asset}], "limit": 100},
    "scans_of": lambda ids: {"rows": [{"key": ids.asset}], "limit": 100},
    "seen_by": lambda ids: {"rows": [{"key": ids.scan}], "ids": [ids.finding], "limit": 100},
    "assets_after": lambda ids: {"after_key": "!", "limit": 100},
    "scans_after": lambda ids: {"after_key": "!", "limit": 100},
    "findings_after": lambda ids: {"after_key": "!", "limit": 100},
    "examined_after": lambda ids: {"after_key": "!", "limit": 100},
    "has_after": lambda ids: {"after_key": "!", "limit": 100},
    "saw_after": lambda ids: {"scan_key": ids.scan, "after_key": "!", "limit": 100},
    "count": lambda ids: {},
    "purge_assets": lambda ids: {"limit": 100},
    "purge_scans": lambda ids: {"limit": 100},
    "purge_findings": lambda ids: {"limit": 100},
    "purge_rest": lambda ids: {"limit": 100},
    "sweep_assets": lambda ids: {},
    "sweep_scans": lambda ids: {},
    "sweep_findings": lambda ids: {},
    "sweep_labels": lambda ids: {},
    "sweep_keys": lambda ids: {},
    "sweep_relationships": lambda ids: {},
}


def test_every_query_is_in_the_matrix() -> None:
    """A query that is added must say with what arguments it would reach another tenant."""
    assert ARGUMENTS.keys() == {query.name for query in every_query()}


def _fill(graph: Graph, ids: Ids, mark: str) -> None:
    asset = AssetFields(UUID(ids.asset), f"asset of {mark}", "web", f"https://{mark}.example")
    finding = FindingFields(UUID(ids.finding), f"rule of {mark}", f"title of {mark}", "high", "open")
    project_scan(graph, ScanPicture(NOON, asset, ScanFields(UUID(ids.scan), f"tool of {mark}", NOON), (finding,)))
    for query, rows, key in (
        (queries.ADD_ASSETS, _asset_rows(ids), ids.lone_asset),
        (queries.ADD_SCANS, _scan_rows(ids), ids.lone_scan),
        (queries.ADD_FINDINGS, _finding_rows(ids), ids.lone_finding),
    ):
        graph.write(query, rows=[{**rows[0], "key": key, "id": key, "at": 1}])


def _break(raw: Raw, tenant_id: UUID) -> None:
    """Plant one of each violation around a tenant, so that its own sweeps have something to count."""
    label, prefix = label_of(tenant_id), f"{tenant_id.hex}|"
    raw("CREATE (n:Odd) SET n:$($t), n:$($u), n._key = $k", t=label, u=label_of(new_id()), k=prefix + "odd")
    raw("CREATE (n:Odd) SET n:$($t)", t=label)
    raw("CREATE (n:Asset) SET n._key = $k", k=prefix + "unlabelled")
    raw("CREATE (n:Scan) SET n._key = $k", k=prefix + "unlabelled")
    raw("CREATE (n:Finding) SET n._key = $k", k=prefix + "unlabelled")
    raw(
        "MATCH (a:Asset {_key: $a}), (f:Finding {_key: $f}) CREATE (a)-[:HAS]->(f)",
        a=prefix + "unlabelled",
        f=prefix + "unlabelled",
    )
    raw(
        "MATCH (n:Odd {_key: $k}), (f:Finding {_key: $f}) CREATE (n)-[:HAS]->(f)",
        k=prefix + "odd",
        f=prefix + "unlabelled",
    )


def _state(raw: Raw, tenant_id: UUID) -> list[str]:
    """All that bears a tenant's label or key, with its relationships, as seen from outside."""
    given = {"t": label_of(tenant_id), "p": f"{tenant_id.hex}|"}
    nodes = raw(
        "MATCH (n) WHERE $t IN labels(n) OR n._key STARTS WITH $p RETURN labels(n) AS l, properties(n) AS p", **given
    )
    ties = raw(
        "MATCH (n)-[r]->(m) WHERE $t IN labels(n) OR n._key STARTS WITH $p OR $t IN labels(m) OR m._key STARTS WITH $p"
        " RETURN labels(n) AS a, n._key AS b, type(r) AS c, labels(m) AS d, m._key AS e",
        **given,
    )
    for row in nodes:
        row["l"].sort()
    for row in ties:
        row["a"].sort()
        row["d"].sort()
    return sorted(json.dumps(row, sort_keys=True) for row in [*nodes, *ties])


def _run(graph: Graph, query: NamedQuery, ids: Ids) -> list[dict[str, Any]]:
    send = graph.write if query.mode is Mode.WRITE else graph.read
    return send(query, **ARGUMENTS[query.name](ids))


def _layers(monkeypatch: pytest.MonkeyPatch, *, label: UUID, key: UUID) -> None:
    """Let the label come from one tenant and the keys from another, whatever the context says."""
    honest = gateway._scoped

    def scoped(query: NamedQuery, parameters: Any) -> dict[str, Any]:
        with tenant_scope(key):
            return {**honest(query, parameters), "t": label_of(label)}

    monkeypatch.setattr(gateway, "_scoped", scoped)


@pytest.fixture
def first(graph: Graph, graph_tenants: tuple[UUID, UUID], raw_cypher: Raw) -> Any:
    """The ids of the first tenant, filled and with one of each violation around it; all of it removed afterwards."""
    ids = Ids(*(str(new_id()) for _ in range(6)))
    with tenant_scope(graph_tenants[0]):
        _fill(graph, ids, "the first")
    _break(raw_cypher, graph_tenants[0])
    yield ids
    raw_cypher("MATCH (n) WHERE n._key STARTS WITH $p DETACH DELETE n", p=f"{graph_tenants[0].hex}|")


@pytest.mark.parametrize("query", every_query(), ids=lambda query: query.name)
def test_a_query_with_anothers_ids(
    query: NamedQuery, graph: Graph, graph_tenants: tuple[UUID, UUID], first: Ids, raw_cypher: Raw
) -> None:
    """With the real ids of another tenant a query sees nothing and changes nothing there, empty-handed or not."""
    one, two = graph_tenants
    before = _state(raw_cypher, one)
    with tenant_scope(two):
        seen = _run(graph, query, first)
        assert not [row for row in seen if any(row.values())]
        purge_tenant(graph)
        _fill(graph, first, "the second")
        assert "the first" not in json.dumps(_run(graph, query, first))
        assert sweep(graph).none
    assert _state(raw_cypher, one) == before


@pytest.mark.parametrize("query", [q for q in every_query() if q.mode is not Mode.SWEEP], ids=lambda query: query.name)
def test_the_label_alone_holds(
    query: NamedQuery,
    graph: Graph,
    graph_tenants: tuple[UUID, UUID],
    first: Ids,
    raw_cypher: Raw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the keys of the other tenant, by a mistake, the label still keeps its nodes from being seen or changed."""
    one, two = graph_tenants
    before = set(_state(raw_cypher, one))
    _layers(monkeypatch, label=two, key=one)
    with suppress(Unavailable):  # a taken key
        assert not [row for row in _run(graph, query, first) if any(row.values())]
    assert before <= set(_state(raw_cypher, one))


# What enters by the label has no key to hold it, and what creates a node gives it the label it is told.
_KEYED = [q for q in every_query() if q.mode is not Mode.SWEEP and "$($t)" not in q.text]


@pytest.mark.parametrize("query", _KEYED, ids=lambda query: query.name)
def test_the_key_alone_holds(
    query: NamedQuery,
    graph: Graph,
    graph_tenants: tuple[UUID, UUID],
    first: Ids,
    raw_cypher: Raw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the label of the other tenant, by a mistake, the key still keeps its nodes from being seen or changed."""
    one, two = graph_tenants
    before = _state(raw_cypher, one)
    _layers(monkeypatch, label=one, key=two)
    assert not [row for row in _run(graph, query, first) if any(row.values())]
    assert _state(raw_cypher, one) == before


@pytest.mark.parametrize("query", every_query(), ids=lambda query: query.name)
def test_the_matrix_can_fail(
    query: NamedQuery,
    graph: Graph,
    graph_tenants: tuple[UUID, UUID],
    first: Ids,
    raw_cypher: Raw,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With label and key both the other tenant's, each query does see or change its nodes: no cell is blind."""
    one, two = graph_tenants
    before = _state(raw_cypher, one)
    _layers(monkeypatch, label=one, key=one)
    with tenant_scope(two):
        seen = [row for row in _run(graph, query, first) if any(row.values())]
    assert seen or _state(raw_cypher, one) != before
