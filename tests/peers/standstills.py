"""Scans that stand still, as staff find them on the health page."""

from datetime import timedelta
from uuid import UUID

from app.models.scans import Scan
from app.services import assets, scans
from tests.peers.tenants import Made

AN_HOUR = timedelta(hours=1)


def stuck_scan_of(made: Made, status: str = "running") -> UUID:
    """Give the tenant a scan that was admitted, or begun, an hour ago and has not moved since; return its id."""
    with made.unit() as unit:
        asset = assets.add_document(unit, name="A text", text="Nothing to see here.")
        scan_id = scans.start_scan(unit, asset.id, tool="text").id
        row = unit.session.get_one(Scan, (made.id, scan_id))
        row.admitted_at = unit.now() - AN_HOUR
        row.status, row.started_at = status, row.admitted_at if status == "running" else None
        unit.commit()
    return scan_id
