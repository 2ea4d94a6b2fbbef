"""What staff order is on record, is carried out as the tenant, and stands in both logs."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.core.errors import Conflict, TenantClosed
from app.core.ids import new_id
from app.db import directory, oversight
from app.db.oversight import EventSearch
from app.db.units import Home, Units
from app.models.accounts import AccountAuditEvent, AccountEffect
from app.models.tenants import Tenant
from app.services import assets, entrances, lifecycles, scans
from app.services.plans import Quota, entitlements
from app.services.stewards import Steward
from tests.peers.staff import StaffMember
from tests.peers.tenants import Made
from tests.services.test_entrances import visit


def status_of(made: Made) -> str:
    """Return the tenant's status as its own row has it."""
    with made.unit(Home.ACCOUNT) as unit:
        return unit.session.get_one(Tenant, made.id).status


def order(member: StaffMember, made: Made, name: str, **more: str) -> int:
    """Send the form of an act; return the answer's status."""
    member.get(f"/tenants/{made.id}/{name}")
    return member.post(f"/tenants/{made.id}/{name}", {"reason": "Unpaid since May", "plan": "free", **more}).status_code


def entered(made: Made) -> directory.TenantView:
    """Return the tenant as an entrance sees it."""
    tenant = visit(made).tenant
    assert tenant is not None
    return tenant


def test_tenants_are_found(member: StaffMember, tenant: Made) -> None:
    """By slug, by id, by status; what fits nothing says so."""
    for words in (tenant.slug, str(tenant.id)):
        page = member.get(f"/tenants?search={words}").text
        assert tenant.slug in page
    assert tenant.slug in member.get(f"/tenants?search={tenant.slug}&status=trial&plan=professional").text
    page = member.get(f"/tenants?search={tenant.slug}&status=suspended").text
    assert "No tenant like that" in page
    assert member.get(f"/tenants/{tenant.id}").status_code == 200
    assert member.get(f"/tenants/{new_id()}").status_code == 404


def test_a_suspension_holds_before_the_worker_knows(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """With the order's commit every entrance is closed; the worker then writes it down, and the scans stop."""
    assert order(member, tenant, "suspension") == 303
    with pytest.raises(TenantClosed, match="Unpaid since May"):
        entrances.require_open(entered(tenant))
    assert status_of(tenant) == "trial"
    with tenant.unit(Home.ACCOUNT) as unit:  # another change of the row does not open it again
        unit.session.get_one(Tenant, tenant.id).name = "Renamed"
        unit.commit()
    with pytest.raises(TenantClosed):
        entrances.require_open(entered(tenant))
    while Steward(worker_units).run_once():
        pass
    assert status_of(tenant) == "suspended"
    with tenant.unit(Home.ACCOUNT) as unit:
        event = unit.session.scalars(
            select(AccountAuditEvent).where(AccountAuditEvent.action == "tenant.suspend")
        ).one()
        assert event.actor_kind == "staff"
        assert member.email in event.actor_label
        assert event.after == {"status": "suspended", "status_reason": "Unpaid since May"}
        assert unit.session.scalars(select(AccountEffect.kind)).all().count("tenant.stop") == 1
    assert "Unpaid since May" in member.get("/log").text
    assert order(member, tenant, "resumption") == 303
    while Steward(worker_units).run_once():
        pass
    assert status_of(tenant) == "trial"
    entrances.require_open(entered(tenant))


def test_an_order_out_of_order_is_refused_and_says_so(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """What the tenant's state does not allow ends as refused, not as a retry for ever."""
    assert order(member, tenant, "resumption") == 303
    while Steward(worker_units).run_once():
        pass
    assert "refused: The tenant is trial, not suspended." in member.get(f"/tenants/{tenant.id}").text
    assert order(member, tenant, "suspension") == 303
    assert order(member, tenant, "suspension") == 409


def test_a_reason_is_needed(member: StaffMember, tenant: Made, platform_units: Units) -> None:
    """Without one nothing is ordered; a deletion wants the slug typed."""
    assert order(member, tenant, "suspension", reason=" ") == 422
    assert order(member, tenant, "deletion", slug="something-else") == 422
    assert order(member, tenant, "plan", plan="imaginary") == 422
    with platform_units.identify() as door:
        assert oversight.log(door.session, EventSearch(tenant.id)) == []


def test_deleted_and_restored(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """A deleted tenant is closed and kept for the retention of its plan; restored, it is as it was."""
    assert order(member, tenant, "deletion", slug=tenant.slug) == 303
    while Steward(worker_units).run_once():
        pass
    with tenant.unit(Home.ACCOUNT) as unit:
        row = unit.session.get_one(Tenant, tenant.id)
        assert row.status == "deleted"
        assert row.deleted_at is not None
        assert row.purge_at == row.deleted_at + timedelta(days=365)
    with pytest.raises(TenantClosed):
        entrances.require_open(entered(tenant))
    assert order(member, tenant, "restoration") == 303
    while Steward(worker_units).run_once():
        pass
    assert status_of(tenant) == "trial"
    entrances.require_open(entered(tenant))


def test_a_trial_ends_on_the_free_plan(tenant: Made, worker_units: Units) -> None:
    """When its 14 days are over the tenant is active and free; before, nothing changes."""
    assert Steward(worker_units).end_trials() == 0 or status_of(tenant) == "trial"
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, tenant.id).trial_ends_at = unit.now() - timedelta(seconds=1)
        unit.commit()
    assert Steward(worker_units).end_trials() >= 1
    with tenant.unit(Home.ACCOUNT) as unit:
        row = unit.session.get_one(Tenant, tenant.id)
        assert (row.plan, row.status) == ("free", "active")


def test_a_figure_is_agreed_on_and_ended(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """It holds in place of the plan's until it is ended; what will not do is told beside its field."""
    page = f"/tenants/{tenant.id}/overrides/new"
    member.get(page)
    for wrong in ({"figure": "quota:nothing"}, {"value": "many"}, {"until": "2020-01-01"}, {"reason": ""}):
        form = {"figure": "quota:seats", "value": "7", "until": "", "reason": "A pilot", **wrong}
        assert member.post(page, dict(form)).status_code == 422, wrong
    form = {"figure": "quota:seats", "value": "7", "until": "2999-01-01", "reason": "A pilot"}
    assert member.post(page, dict(form)).status_code == 303
    while Steward(worker_units).run_once():
        pass
    assert _seats(tenant) == 7
    shown = member.get(f"/tenants/{tenant.id}").text
    assert "A pilot" in shown
    end = re.search(rf"/tenants/{tenant.id}/overrides/[0-9a-f-]+/end", shown)
    assert end is not None
    assert member.get(end.group()).status_code == 200
    assert member.post(end.group(), {"reason": "The pilot is over"}).status_code == 303
    while Steward(worker_units).run_once():
        pass
    assert _seats(tenant) != 7
    assert member.get(end.group()).status_code == 404


def _seats(made: Made) -> int | None:
    with made.unit(Home.ACCOUNT) as unit:
        return entitlements(unit).quotas[Quota.SEATS]


def test_an_owner_cannot_do_what_staff_do(tenant: Made) -> None:
    """Suspending, resuming and giving another plan are refused to the tenant's own people."""
    with tenant.unit(Home.ACCOUNT) as unit:
        for act in (
            lambda: lifecycles.suspend_tenant(unit, "why"),
            lambda: lifecycles.resume_tenant(unit, "why"),
            lambda: lifecycles.change_plan(unit, "enterprise", "why"),
        ):
            with pytest.raises(Conflict, match="staff alone"):
                act()


def test_scans_of_a_closed_tenant_are_cancelled(tenant: Made, worker_units: Units) -> None:
    """What the worker does after a suspension: each scan that is not over is cancelled, with its row in the log."""
    with tenant.unit() as unit:
        asset = assets.add_document(unit, name="A text", text="Nothing to see here.")
        scan = scans.start_scan(unit, asset.id, tool="text")
        scan_id = scan.id
        unit.commit()
    with tenant.unit() as unit:
        assert scans.stop_scans(unit) == 0
    with tenant.unit(Home.ACCOUNT) as unit:
        unit.session.get_one(Tenant, tenant.id).status = "suspended"
        unit.commit()
    with tenant.unit() as unit:
        assert scans.stop_scans(unit) == 1
        unit.commit()
    with tenant.unit() as unit:
        assert scans.get_scan(unit, scan_id).status == "cancelled"
        assert scans.stop_scans(unit) == 0
