"""The graph taken out: every node and relationship of the tenant, none of another, page by page."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.core.ids import new_id
from app.graph import exports
from app.graph.exports import node_pages, relationship_pages
from app.graph.gateway import Graph
from app.graph.projections import AssetFields, FindingFields, ScanFields, ScanPicture, project_scan
from app.tenancy.context import tenant_scope

NOW = datetime.now(UTC)


def project(graph: Graph, tenant_id: UUID, scans: int, findings: int) -> set[tuple[str, str, str]]:
    """Write scans of one asset that saw the same findings; return the relationships that there must be."""
    asset = AssetFields(new_id(), "shop", "web", "https://shop.example")
    found = tuple(FindingFields(new_id(), "hsts", f"No HSTS {n}", "low", "open") for n in range(findings))
    edges = {("HAS", str(asset.id), str(each.id)) for each in found}
    for _ in range(scans):
        scan = ScanFields(new_id(), "posture", NOW)
        with tenant_scope(tenant_id):
            project_scan(graph, ScanPicture(NOW, asset, scan, found))
        edges |= {("EXAMINED", str(scan.id), str(asset.id))} | {("SAW", str(scan.id), str(each.id)) for each in found}
    return edges


@pytest.mark.parametrize("page", [2, 1_000])
def test_everything_of_one_tenant(
    graph: Graph, graph_tenants: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Each node and each relationship comes once, however small the pages are; the other tenant's never."""
    monkeypatch.setattr(exports, "PAGE", page)
    ours, theirs = graph_tenants
    edges = project(graph, ours, 3, 5)
    project(graph, theirs, 1, 2)
    nodes = [row for rows in node_pages(graph, ours) for row in rows]
    assert len(nodes) == len({row["id"] for row in nodes}) == 9
    assert {row["kind"] for row in nodes} == {"asset", "scan", "finding"}
    told = [(row["kind"], row["source"], row["target"]) for rows in relationship_pages(graph, ours) for row in rows]
    assert len(told) == len(set(told)) and set(told) == edges
