"""An erased tenant's nodes go from the graph with it; while the graph is away nothing is signed."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.core.ids import new_id
from app.core.settings import settings
from app.db.opening import open_units
from app.graph.gateway import open_graph
from app.graph.projections import AssetFields, FindingFields, ScanFields, ScanPicture, count_tenant, project_scan
from app.services import erasure_certificates
from app.services.erasers import Eraser
from app.tenancy.context import tenant_scope
from tests.peers import rows
from tests.peers.erasures import MemoryExecutions, delete, erase, kept, plant, progress
from tests.plugins.servers import Bolt, Database

pytestmark = [pytest.mark.graph, pytest.mark.xdist_group("graph")]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def picture() -> ScanPicture:
    """Return a scan of one asset that saw two findings."""
    seen = tuple(FindingFields(new_id(), "rule", "A finding", "low", "open") for _ in range(2))
    asset = AssetFields(new_id(), "Shop", "web", "https://shop.example")
    return ScanPicture(NOON, asset, ScanFields(new_id(), "posture", NOON), seen)


def test_nodes_go_with_the_tenant(environment: object, fresh_database: Database, arcadedb: Bolt) -> None:
    """First the graph is away: the erasure waits for it. Then its nodes are counted and removed, a neighbour's stay."""
    shapes = rows.shapes(fresh_database.superuser)
    tenant, neighbour = plant(fresh_database, shapes).tenant_id, new_id()
    graph = open_graph(arcadedb.uri, arcadedb.user, arcadedb.password, arcadedb.database)
    away = open_graph("bolt://127.0.0.1:1", "nobody", "nothing")
    assert graph is not None and away is not None

    def nodes(whose: UUID) -> int:
        with tenant_scope(whose):
            return count_tenant(graph)

    for whose in (tenant, neighbour):
        with tenant_scope(whose):
            project_scan(graph, picture())
    delete(fresh_database, tenant)
    units, master_key = (
        open_units(settings(), fresh_database.worker),
        settings().master,
    )
    Eraser(units, master_key, away, MemoryExecutions()).run_once()
    assert progress(fresh_database) == ("graph", "The graph is not available at present.")
    erase(fresh_database, Eraser(units, master_key, graph, MemoryExecutions()))
    body, faults = erasure_certificates.verify(*kept(fresh_database, tenant))
    assert faults == []
    assert (body["removed"]["graph"], body["left"]["graph"]) == ({"nodes": 4}, {"nodes": 0})
    assert (nodes(tenant), nodes(neighbour)) == (0, 4)
    units.engines.dispose()
    graph.close()
