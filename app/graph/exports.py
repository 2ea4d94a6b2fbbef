"""The present tenant's graph as it is taken out: every node and every relationship, a thousand at a time."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from app.graph import queries
from app.graph.gateway import Graph
from app.graph.queries import NamedQuery
from app.tenancy.context import tenant_scope

PAGE = 1_000
# Sorts before every id.
_FIRST = "!"
_NODES = (("asset", queries.ASSETS_AFTER), ("scan", queries.SCANS_AFTER), ("finding", queries.FINDINGS_AFTER))
_SINGLE = (("EXAMINED", queries.EXAMINED_AFTER, "source"), ("HAS", queries.HAS_AFTER, "target"))

Rows = Iterator[list[dict[str, Any]]]


def node_pages(graph: Graph, tenant_id: UUID) -> Rows:
    """Yield the tenant's nodes with their properties and `kind`, by kind and id. Raises Unavailable."""
    for kind, query in _NODES:
        for page in _pages(graph, tenant_id, query, lambda row: str(row["id"])):
            yield [{"kind": kind, **row} for row in page]


def relationship_pages(graph: Graph, tenant_id: UUID) -> Rows:
    """Yield the tenant's relationships as kind, source and target. Raises Unavailable."""
    for kind, query, by in _SINGLE:
        for page in _pages(graph, tenant_id, query, lambda row, by=by: str(row[by])):  # type: ignore[misc]
            yield [{"kind": kind, **row} for row in page]
    for scans in _pages(graph, tenant_id, queries.SCANS_AFTER, lambda row: str(row["id"])):
        for scan in scans:
            for page in _pages(
                graph, tenant_id, queries.SAW_AFTER, lambda row: str(row["target"]), scan_key=scan["id"]
            ):
                yield [{"kind": "SAW", **row} for row in page]


def _pages(
    graph: Graph, tenant_id: UUID, query: NamedQuery, place: Callable[[dict[str, Any]], str], **given: Any
) -> Rows:
    after = _FIRST
    while True:
        with tenant_scope(tenant_id):
            page = graph.read(query, after_key=after, limit=PAGE, **given)
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = place(page[-1])
