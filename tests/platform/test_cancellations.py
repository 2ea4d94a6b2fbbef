"""A scan that hangs is cancelled by order of staff, as its tenant could cancel it."""

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.errors import Conflict, NotFound, PermissionDenied
from app.core.settings import settings
from app.db.units import Units
from app.models.plans import QuotaReservation
from app.models.trails import AuditEvent, Effect
from app.services import quotas, scans
from app.services.plans import Quota
from app.services.stewards import Steward
from tests.peers.sides import signed_in
from tests.peers.staff import STAFF, StaffMember
from tests.peers.standstills import stuck_scan_of
from tests.peers.tenants import Made

REASON = "It hung since noon: the worker’s host was lost"


def carried_out(worker_units: Units) -> None:
    """Let the worker carry out what is ordered."""
    while Steward(worker_units).run_once():
        pass


def used(made: Made) -> tuple[int, int]:
    """Return how many of the month's scans are used, and how many are in flight."""
    with made.unit() as unit:
        return quotas.used_of(unit, Quota.SCANS)[0], quotas.count_rows_of(unit, Quota.CONCURRENT_SCANS)


def test_the_tenant_reads_why(app: Flask, tenant: Made) -> None:
    """The scan's page says that staff cancelled it, and why."""
    scan_id = stuck_scan_of(tenant)
    with tenant.unit(actor=STAFF) as unit:
        scans.cancel_for_staff(unit, scan_id, REASON)
        unit.commit()
    person = signed_in(app, settings().base_url.replace("http://", "https://"), tenant)
    page = person.get(person.at(f"/scans/{scan_id}")).text
    assert "staff cancelled this scan" in page
    assert REASON in page


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_scan_that_hangs_is_cancelled(member: StaffMember, tenant: Made, worker_units: Units, status: str) -> None:
    """Its row ends with the reason, what it held is given back, its workflow is to be cancelled; both logs have it."""
    scan_id = stuck_scan_of(tenant, status)
    where = f"/tenants/{tenant.id}/scans/{scan_id}/cancellation"
    assert where in member.get("/state").text
    assert member.get(where).status_code == 200
    assert member.post(where, {"reason": " "}).status_code == 422
    assert used(tenant) == (1, 1)
    assert member.post(where, {"reason": REASON}).status_code == 303
    for page in ("/state", where):
        assert "on its way" in member.get(page).text
    carried_out(worker_units)
    assert used(tenant) == (0, 0)
    with tenant.unit() as unit:
        scan = scans.get_scan(unit, scan_id)
        assert (scan.status, scan.failure) == ("cancelled", REASON)
        assert scan.finished_at is not None
        assert unit.session.scalars(select(QuotaReservation.state)).all() == ["released"]
        effects = unit.session.execute(select(Effect.kind, Effect.payload)).all()
        assert ("scan.cancel", {"scan_id": str(scan_id), "workflow_id": scan.workflow_id}) in effects
        row = unit.session.scalars(select(AuditEvent).where(AuditEvent.action == "scan.cancel")).one()
        assert (row.actor_kind, row.actor_label) == ("staff", f"Sentinel staff: {member.email}")
        assert (row.before, row.after) == ({"status": status}, {"status": "cancelled", "reason": REASON})
    assert member.get(where).status_code == 404
    log = member.get(f"/log?tenant={tenant.id}&action=scan.cancel").text
    assert REASON in log and "refused" not in log


def test_only_what_stands_still_is_cancelled(
    member: StaffMember, tenants: Callable[[], Made], worker_units: Units
) -> None:
    """A scan that goes on, another tenant's and none at all are not found; one that ended meanwhile is refused."""
    made, other = tenants(), tenants()
    scan_id, elsewhere = stuck_scan_of(made), stuck_scan_of(other)
    with made.unit() as unit:
        asset_id = scans.get_scan(unit, scan_id).asset_id
        going = scans.start_scan(unit, asset_id, tool="text").id
        unit.commit()
    member.get("/state")
    for which in (going, elsewhere, UUID(int=7)):
        where = f"/tenants/{made.id}/scans/{which}/cancellation"
        assert (member.get(where).status_code, member.post(where, {"reason": REASON}).status_code) == (404, 404)
    member.post(f"/tenants/{made.id}/scans/{scan_id}/cancellation", {"reason": REASON})
    with made.unit() as unit:
        scans.fail_scan(unit, scan_id, "It did not answer.")
        unit.commit()
    carried_out(worker_units)
    assert "refused: The scan is failed already." in member.get(f"/tenants/{made.id}").text
    for actor, which, refusal in (
        (made.actor, scan_id, PermissionDenied),
        (STAFF, elsewhere, NotFound),
        (STAFF, scan_id, Conflict),
    ):
        with made.unit(actor=actor) as unit, pytest.raises(refusal):
            scans.cancel_for_staff(unit, which, REASON)
    with other.unit() as unit:
        assert scans.get_scan(unit, elsewhere).status == "running"
