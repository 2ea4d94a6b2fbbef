"""What of a scan is shown in the graph, read from its rows."""

from uuid import UUID

from sqlalchemy import select, text

from app.db.units import Unit
from app.graph.projections import AssetFields, FindingFields, ScanFields, ScanPicture
from app.models.assets import Asset
from app.models.findings import Finding, FindingSighting
from app.models.scans import Scan


def scan_picture(unit: Unit, scan_id: UUID) -> ScanPicture | None:
    """Return the scan with its asset and what it saw, or None where it is gone.

    The moment is read first: a picture is never older than it says, so that the later of two is the truer.
    """
    taken_at = unit.session.execute(text("SELECT clock_timestamp()")).scalar_one()
    scan = unit.session.get(Scan, (unit.tenant_id, scan_id))
    if scan is None:
        return None
    asset = unit.session.get_one(Asset, (unit.tenant_id, scan.asset_id))
    seen = unit.session.scalars(
        select(Finding)
        .join(
            FindingSighting,
            (FindingSighting.tenant_id == Finding.tenant_id) & (FindingSighting.finding_id == Finding.id),
        )
        .where(FindingSighting.scan_id == scan_id)
    )
    return ScanPicture(
        taken_at,
        AssetFields(asset.id, asset.name, asset.kind, asset.url or ""),
        ScanFields(scan.id, scan.tool, scan.finished_at),
        tuple(FindingFields(one.id, one.rule, one.title, one.severity, one.status) for one in seen),
    )
