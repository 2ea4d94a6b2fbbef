"""What of a tenant stands in the graph, and how it gets there: idempotent, in any order, any number of times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.core.ids import new_id
from app.graph import queries
from app.graph.gateway import Graph

_BATCH = 200
_PURGE_BATCH = 1000


@dataclass(frozen=True, slots=True)
class AssetFields:
    id: UUID
    name: str
    kind: str
    address: str


@dataclass(frozen=True, slots=True)
class ScanFields:
    id: UUID
    tool: str
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class FindingFields:
    id: UUID
    rule: str
    title: str
    severity: str
    status: str


@dataclass(frozen=True, slots=True)
class ScanPicture:
    """One scan with its asset and what it saw, as the rows stood at `taken_at` (the database's clock, aware).

    Of two pictures of one thing the later taken wins, whichever comes first.
    """

    taken_at: datetime
    asset: AssetFields
    scan: ScanFields
    findings: tuple[FindingFields, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A thing in the console's picture; `kind` is asset, scan or finding, `note` its second line."""

    id: str
    kind: str
    title: str
    note: str
    severity: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """EXAMINED: scan to asset, HAS: asset to finding, SAW: scan to finding; both ends are in the picture."""

    kind: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What the console draws; `truncated` where there is more than the limit allowed."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class Violations:
    """How often the invariants are broken around the present tenant; all zero is sound."""

    labels: int  # nodes with the tenant's label and another tenant's
    keys: int  # nodes with the tenant's label and no key, or another tenant's
    unlabelled: int  # nodes with the tenant's key, but not its label
    relationships: int  # relationships from its nodes to nodes that are not its own

    @property
    def none(self) -> bool:
        return not (self.labels or self.keys or self.unlabelled or self.relationships)


def project_scan(graph: Graph, picture: ScanPicture) -> None:
    """Bring the graph of the present tenant up to `picture`.

    Safe when delivered twice, out of order or at once with another; a failure half-way is completed by the next
    delivery. Raises Unavailable when the graph is down.
    """
    at = _microseconds(picture.taken_at)
    asset, scan = picture.asset, picture.scan
    touch = new_id().hex  # two writers of one node's relationships collide on it, where MERGE alone may add twice
    asset_row = {
        "key": str(asset.id),
        "id": str(asset.id),
        "at": at,
        "name": asset.name,
        "kind": asset.kind,
        "address": asset.address,
    }
    scan_row = {
        "key": str(scan.id),
        "id": str(scan.id),
        "at": at,
        "tool": scan.tool,
        "finished_at": scan.finished_at.astimezone(UTC).isoformat() if scan.finished_at else None,
    }
    graph.write(queries.ADD_ASSETS, rows=[asset_row])
    graph.write(queries.SET_ASSETS, rows=[asset_row])
    graph.write(queries.ADD_SCANS, rows=[scan_row])
    graph.write(queries.SET_SCANS, rows=[scan_row])
    graph.write(queries.LINK_EXAMINED, scan_key=str(scan.id), asset_key=str(asset.id), touch=touch)
    for rows in _batches([_finding_row(finding, at) for finding in _distinct(picture.findings)]):
        keys = [{"key": row["key"]} for row in rows]
        graph.write(queries.ADD_FINDINGS, rows=rows)
        graph.write(queries.SET_FINDINGS, rows=rows)
        graph.write(queries.LINK_HAS, asset_key=str(asset.id), rows=keys, touch=touch)
        graph.write(queries.LINK_SAW, scan_key=str(scan.id), rows=keys, touch=touch)


def picture(graph: Graph, asset_id: UUID | None = None, limit: int = 200) -> Picture:
    """Return the present tenant's graph, or what surrounds one asset: at most `limit` nodes, worst findings first.

    Assets take up to a third of the limit, findings up to two thirds of what is left, the newest scans the rest. An
    asset that is not the tenant's gives an empty picture. Raises Unavailable when the graph is down.
    """
    room = max(1, limit // 3)
    if asset_id is None:
        assets = graph.read(queries.ASSETS, limit=min(room + 1, queries.ASSETS.most))
    else:
        assets = graph.read(queries.ASSET, key=str(asset_id))
    truncated, assets = len(assets) > room, assets[:room]
    keys = [{"key": row["id"]} for row in assets]
    room = (limit - len(assets)) * 2 // 3
    findings = graph.read(queries.FINDINGS_OF, rows=keys, limit=min(room + 1, queries.FINDINGS_OF.most))
    truncated, findings = truncated or len(findings) > room, findings[:room]
    room = limit - len(assets) - len(findings)
    scans = graph.read(queries.SCANS_OF, rows=keys, limit=min(room + 1, queries.SCANS_OF.most))
    truncated, scans = truncated or len(scans) > room, scans[:room]
    seen = graph.read(
        queries.SEEN_BY,
        rows=[{"key": row["id"]} for row in scans],
        ids=[row["id"] for row in findings],
        limit=queries.SEEN_BY.most,
    )
    nodes = (
        *(Node(row["id"], "asset", row["name"], row["address"] or row["kind"]) for row in assets),
        *(Node(row["id"], "scan", row["tool"], row["finished_at"] or "") for row in scans),
        *(Node(row["id"], "finding", row["title"], row["rule"], row["severity"], row["status"]) for row in findings),
    )
    edges = (
        *(Edge("EXAMINED", row["id"], row["asset_id"]) for row in scans),
        *(Edge("HAS", row["asset_id"], row["id"]) for row in findings),
        *(Edge("SAW", row["scan_id"], row["id"]) for row in seen),
    )
    return Picture(nodes, edges, truncated)


def count_tenant(graph: Graph) -> int:
    """Return how many nodes the present tenant has."""
    return int(graph.read(queries.COUNT)[0]["nodes"])


def purge_tenant(graph: Graph) -> int:
    """Delete every node of the present tenant, in batches, and return how many; a second call finds none."""
    gone = 0
    for query in queries.PURGES:
        while batch := int(graph.write(query, limit=_PURGE_BATCH)[0]["nodes"]):
            gone += batch
    return gone


def sweep(graph: Graph) -> Violations:
    """Count what breaks the invariants around the present tenant: one tenant label a node, no edge between tenants."""

    def found(query: queries.NamedQuery) -> int:
        return int(graph.read(query)[0]["found"])

    return Violations(
        labels=found(queries.SWEEP_LABELS),
        keys=found(queries.SWEEP_KEYS),
        unlabelled=sum(map(found, (queries.SWEEP_ASSETS, queries.SWEEP_SCANS, queries.SWEEP_FINDINGS))),
        relationships=found(queries.SWEEP_RELATIONSHIPS),
    )


def _finding_row(finding: FindingFields, at: int) -> dict[str, Any]:
    return {
        "key": str(finding.id),
        "id": str(finding.id),
        "at": at,
        "rule": finding.rule,
        "title": finding.title,
        "severity": finding.severity,
        "status": finding.status,
    }


def _distinct(findings: Sequence[FindingFields]) -> list[FindingFields]:
    # In a fixed order, so that two deliveries at once lock alike.
    return [finding for _, finding in sorted({finding.id: finding for finding in findings}.items())]


def _batches(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def _microseconds(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
