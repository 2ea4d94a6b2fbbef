"""Cancelling a scan that stands still."""

from uuid import UUID

from flask import Blueprint, render_template, url_for
from werkzeug.wrappers import Response

from app.db.oversight import StuckScan
from app.db.units import Doorway
from app.platform import orders
from app.platform.orders import ReasonForm
from app.platform.routing import staff_page
from app.platform.tenants import find_tenant
from app.services import checkups
from app.services.staff import Wish

blueprint = Blueprint("cancellations", __name__)


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/scans/<uuid:scan_id>/cancellation")
def ask(door: Doorway, tenant_id: UUID, scan_id: UUID) -> str:
    return _ask(door, checkups.stuck_scan(door.session, tenant_id, scan_id), ReasonForm())


@staff_page(blueprint, "/tenants/<uuid:tenant_id>/scans/<uuid:scan_id>/cancellation", methods=("POST",))
def create(door: Doorway, tenant_id: UUID, scan_id: UUID) -> Response | tuple[str, int]:
    """Put the order on record; the worker cancels the scan as the tenant."""
    scan, form = checkups.stuck_scan(door.session, tenant_id, scan_id), ReasonForm()
    return orders.give(
        door,
        form,
        lambda: Wish(tenant_id, "scan.cancel", form.reason.data or "", {"scan_id": str(scan_id)}),
        lambda: _ask(door, scan, form),
        told="On record: the scan is cancelled within seconds.",
        back=url_for("records.state"),
    )


def _ask(door: Doorway, scan: StuckScan, form: ReasonForm) -> str:
    row = find_tenant(door, scan.tenant_id)
    return render_template("platform/cancellation.html", row=row, scan=scan, form=form)
