"""Projections: the same graph however often and in whatever order a scan is delivered; the sweep can fail."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from app.core.ids import new_id
from app.graph import projections
from app.graph.gateway import Graph, label_of
from app.graph.projections import (
    AssetFields,
    FindingFields,
    Picture,
    ScanFields,
    ScanPicture,
    Violations,
    count_tenant,
    project_scan,
    purge_tenant,
    sweep,
)
from app.tenancy.context import tenant_scope

pytestmark = [pytest.mark.graph, pytest.mark.xdist_group("graph")]

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _scan(findings: int = 3, at: datetime = NOON) -> ScanPicture:
    seen = tuple(
        FindingFields(new_id(), f"rule-{i}", f"Finding {i}", ("critical", "low", "info")[i % 3], "open")
        for i in range(findings)
    )
    asset = AssetFields(new_id(), "Shop", "web", "https://shop.example")
    return ScanPicture(at, asset, ScanFields(new_id(), "posture", at), seen)


def _drawn(graph: Graph) -> Picture:
    found = projections.picture(graph, limit=3000)
    return Picture(
        tuple(sorted(found.nodes, key=lambda node: node.id)),
        tuple(sorted(found.edges, key=lambda edge: (edge.kind, edge.source, edge.target))),
        found.truncated,
    )


def test_one_scan(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """A scan becomes its asset, itself and its findings, joined by EXAMINED, HAS and SAW."""
    scan = _scan(3)
    with tenant_scope(graph_tenants[0]):
        project_scan(graph, scan)
        found = _drawn(graph)
        assert sorted(node.kind for node in found.nodes) == ["asset", "finding", "finding", "finding", "scan"]
        kinds = [edge.kind for edge in found.edges]
        assert (kinds.count("EXAMINED"), kinds.count("HAS"), kinds.count("SAW")) == (1, 3, 3)
        assert not found.truncated
        assert sweep(graph).none


def test_twice_is_once(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """A second delivery changes nothing."""
    scan = _scan(5)
    with tenant_scope(graph_tenants[0]):
        project_scan(graph, scan)
        before, count = _drawn(graph), count_tenant(graph)
        project_scan(graph, scan)
        assert (_drawn(graph), count_tenant(graph)) == (before, count) and count == 7


@pytest.mark.parametrize("seed", range(3))
def test_any_order_gives_the_same(graph: Graph, graph_tenants: tuple[UUID, UUID], seed: int) -> None:
    """Pictures taken one after the other, delivered in any order and some twice, end in what the last one said."""
    first = _scan(4)
    pictures = [first]
    for hour in range(1, 4):
        taken = NOON + timedelta(hours=hour)
        findings = tuple(replace(item, status=f"state {hour}", title=f"Title {hour}") for item in first.findings)
        asset = replace(first.asset, name=f"Name {hour}")
        pictures.append(ScanPicture(taken, asset, ScanFields(new_id(), "posture", taken), findings[:-1]))
    delivered = pictures * 2
    random.Random(seed).shuffle(delivered)
    with tenant_scope(graph_tenants[0]):
        for item in pictures:
            project_scan(graph, item)
        expected = _drawn(graph)
    assert {node.title for node in expected.nodes if node.kind == "asset"} == {"Name 3"}
    assert sorted(node.status or "" for node in expected.nodes if node.kind == "finding") == ["open", *["state 3"] * 3]
    with tenant_scope(graph_tenants[1]):
        for item in delivered:
            project_scan(graph, item)
        assert _drawn(graph) == expected


def test_deliveries_at_once(graph: Graph) -> None:
    """The first scans of a tenant, one of them twice, delivered by several workers at once, stand there once each."""
    for tenant_id in (new_id() for _ in range(8)):
        first = _scan(20)
        others = [replace(first, scan=ScanFields(new_id(), "posture", NOON)) for _ in range(2)]
        with ThreadPoolExecutor(4) as pool:
            deliver = partial(_deliver, graph, tenant_id)
            list(pool.map(deliver, [first, first, *others]))
        with tenant_scope(tenant_id):
            found = _drawn(graph)
            assert count_tenant(graph) == len(found.nodes) == 24
            assert len(found.edges) == len(set(found.edges)) == 3 + 20 + 60
            purge_tenant(graph)


def _deliver(graph: Graph, tenant_id: UUID, picture: ScanPicture) -> None:
    with tenant_scope(tenant_id):
        project_scan(graph, picture)


def test_many_findings_go_in_batches(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """A scan with more findings than one statement takes arrives whole."""
    with tenant_scope(graph_tenants[0]):
        project_scan(graph, _scan(450))
        assert count_tenant(graph) == 452


def test_two_tenants_with_equal_ids_never_meet(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """The same ids in two tenants are two graphs: neither picture, purge nor sweep of one touches the other."""
    one, two = graph_tenants
    scan = _scan(3)
    other = replace(scan, asset=replace(scan.asset, name="Other"))
    for tenant_id, item in ((one, scan), (two, other)):
        with tenant_scope(tenant_id):
            project_scan(graph, item)
    with tenant_scope(one):
        assert {node.title for node in _drawn(graph).nodes if node.kind == "asset"} == {"Shop"}
        assert purge_tenant(graph) == 5
        assert count_tenant(graph) == 0
        assert projections.picture(graph, scan.asset.id) == Picture((), (), truncated=False)
    with tenant_scope(two):
        assert count_tenant(graph) == 5
        assert {node.title for node in _drawn(graph).nodes if node.kind == "asset"} == {"Other"}
        assert sweep(graph).none


def test_the_picture_has_a_limit(graph: Graph, graph_tenants: tuple[UUID, UUID]) -> None:
    """A picture holds at most its limit of nodes, the worst findings first, edges only between them, and says so."""
    with tenant_scope(graph_tenants[0]):
        scan = _scan(30)
        project_scan(graph, scan)
        for _ in range(3):
            project_scan(graph, _scan(1))
        found = projections.picture(graph, limit=12)
        ids = {node.id for node in found.nodes}
        assert found.truncated and len(found.nodes) == len(ids) <= 12
        assert all({edge.source, edge.target} <= ids for edge in found.edges)
        assert {node.severity for node in found.nodes if node.kind == "finding"} == {"critical"}
        alone = projections.picture(graph, scan.asset.id, limit=200)
        assert len(alone.nodes) == 32 and not alone.truncated


def test_purging_takes_all_and_can_be_repeated(
    graph: Graph, graph_tenants: tuple[UUID, UUID], raw_cypher: Callable[..., list[dict[str, Any]]]
) -> None:
    """After a purge nothing bears the tenant's label, not even what our own code never wrote; again finds nothing."""
    tenant_id = graph_tenants[0]
    raw_cypher("CREATE (n:Stray) SET n:$($t)", t=label_of(tenant_id))
    with tenant_scope(tenant_id):
        project_scan(graph, _scan(3))
        assert purge_tenant(graph) == 6
        assert purge_tenant(graph) == 0
    assert raw_cypher("MATCH (n) WHERE $t IN labels(n) RETURN count(n) AS c", t=label_of(tenant_id)) == [{"c": 0}]


def test_the_sweep_finds_what_is_planted(
    graph: Graph, graph_tenants: tuple[UUID, UUID], raw_cypher: Callable[..., list[dict[str, Any]]]
) -> None:
    """Each way of breaking an invariant is counted: an edge between tenants, two labels, a foreign key, no label."""
    one, two = graph_tenants
    for tenant_id in graph_tenants:
        with tenant_scope(tenant_id):
            project_scan(graph, _scan(1))
            assert sweep(graph) == Violations(0, 0, 0, 0)
    raw_cypher(
        "MATCH (a:Asset), (f:Finding) WHERE $a IN labels(a) AND $b IN labels(f) CREATE (a)-[:HAS]->(f)",
        a=label_of(one),
        b=label_of(two),
    )
    raw_cypher("CREATE (n:Asset) SET n:$($t), n._key = $k", t=label_of(one), k=f"{two.hex}|x")
    raw_cypher("CREATE (n:Scan) SET n:$($t), n:$($u), n._key = $k", t=label_of(one), u=label_of(two), k=f"{one.hex}|y")
    raw_cypher("CREATE (n:Finding) SET n._key = $k", k=f"{one.hex}|z")
    try:
        with tenant_scope(one):
            assert sweep(graph) == Violations(labels=1, keys=1, unlabelled=1, relationships=1)
        with tenant_scope(two):
            found = sweep(graph)
            assert (found.labels, found.keys, found.relationships) == (1, 1, 1)
    finally:
        raw_cypher("MATCH (n:Finding {_key: $k}) DETACH DELETE n", k=f"{one.hex}|z")
