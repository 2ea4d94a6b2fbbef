"""Plans that tenants ask for are seen and decided on at the console."""

from uuid import UUID

import pytest

from app.core.errors import PermissionDenied
from app.db.units import Home, Units
from app.models.plans import PlanRequest
from app.models.tenants import Tenant
from app.services import plan_requests
from app.services.stewards import Steward
from tests.peers.staff import StaffMember
from tests.peers.tenants import Made


def ask(made: Made, plan: str) -> str:
    """Ask for another plan as the tenant's owner; return the request's id."""
    with made.unit(Home.ACCOUNT) as unit:
        asked = plan_requests.request_plan(unit, plan, note="We <grow>.")
        request_id = str(asked.id)
        unit.commit()
    return request_id


def test_approved_and_declined(member: StaffMember, tenant: Made, worker_units: Units) -> None:
    """A request is counted and listed, decided on with a reason and an answer; then nobody can decide on it again."""
    request_id = ask(tenant, "enterprise")
    listed = member.listed("/requests")
    assert tenant.slug in listed
    assert "We &lt;grow&gt;." in listed
    assert tenant.email not in listed
    assert 'class="staff-count"' in member.get("/tenants").text
    page = f"/tenants/{tenant.id}/requests/{request_id}/approval"
    assert page in member.get(f"/tenants/{tenant.id}").text
    assert member.get(page).status_code == 200
    assert member.post(page, {"reason": " "}).status_code == 422
    assert member.post(page, {"reason": "Signed", "answer": "x" * 501}).status_code == 422
    assert member.post(page, {"reason": "Signed", "answer": "Welcome."}).status_code == 303
    assert "on its way" in member.get(f"/tenants/{tenant.id}").text
    while Steward(worker_units).run_once():
        pass
    assert member.get(page).status_code == 404
    with tenant.unit(Home.ACCOUNT) as unit:
        assert unit.session.get_one(Tenant, tenant.id).plan == "enterprise"
        decided = unit.session.get_one(PlanRequest, (tenant.id, request_id))
        assert (decided.status, decided.answer) == ("approved", "Welcome.")
        assert member.email in (decided.decided_by or "")
    page = f"/tenants/{tenant.id}/requests/{ask(tenant, 'free')}/refusal"
    member.get(page)
    assert member.post(page, {"reason": "Talk first"}).status_code == 303
    while Steward(worker_units).run_once():
        pass
    with tenant.unit(Home.ACCOUNT) as unit:
        assert unit.session.get_one(Tenant, tenant.id).plan == "enterprise"


def test_an_owner_cannot_decide_but_withdraw(member: StaffMember, tenant: Made) -> None:
    """Whoever asks does not answer; what is withdrawn is gone from the console."""
    request_id = UUID(ask(tenant, "enterprise"))
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(PermissionDenied):
        plan_requests.decide_request(unit, request_id, approve=True)
    assert str(request_id) in member.listed("/requests")
    with tenant.unit(Home.ACCOUNT) as unit:
        plan_requests.withdraw_request(unit, request_id)
        unit.commit()
    assert str(request_id) not in member.listed("/requests")
