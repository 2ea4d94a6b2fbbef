"""What a plan has no room for is read-only at every entrance, listed, and comes in again when there is room."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.core.errors import BeyondPlan, PermissionDenied, QuotaExceeded
from app.core.permissions import Permission, Role
from app.core.settings import settings
from app.db.units import Home, Unit, Units
from app.models.accounts import ApiKey
from app.models.tenants import Tenant
from app.services import (
    api_keys,
    assets,
    audit,
    entrances,
    excess,
    lifecycles,
    memberships,
    plan_overrides,
    plan_requests,
    quotas,
    workspaces,
)
from app.services.access import require
from app.services.plans import PlanName, Quota
from app.services.stewards import Steward
from app.tenancy.actors import Actor
from app.tenancy.context import tenant_scope
from tests.peers.letters import Letters, text_of
from tests.peers.members import make_member, user_of
from tests.peers.programs import issue
from tests.peers.staff import STAFF
from tests.peers.tenants import ORIGIN, Made
from tests.services.test_entrances import visit
from tests.services.test_plans import override

_SHORT = text("SET LOCAL lock_timeout = '100ms'")


def change_plan(made: Made, worker_units: Units, plan: str) -> None:
    """Give the tenant another plan, as an order of staff does."""
    with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        lifecycles.change_plan(unit, plan, "agreed by telephone")
        unit.commit()


def beyond(made: Made) -> dict[str, list[str]]:
    """Return the labels of what is beyond the plan, by quota."""
    with made.unit(Home.ACCOUNT) as unit:
        return {str(each.quota): [row.label for row in each.rows or ()] for each in excess.list_excess(unit)}


def as_member(made: Made) -> Actor:
    """Return the actor as whom the member comes in."""
    entry = entrances.entry_of(visit(made), ORIGIN)
    assert entry is not None
    return entry.actor


def by_key(made: Made, secret: str) -> Actor:
    """Return the actor as whom a key comes in."""
    pepper = settings().peppers[0]
    with made.units.identify() as door:
        found = entrances.find_key(door, secret, peppers=[pepper], origin=ORIGIN)
        return entrances.by_key(door, found).actor


def test_a_downgrade_makes_read_only_what_it_has_no_room_for(
    tenant: Made, worker_units: Units, letters: Letters
) -> None:
    """Owners and the oldest stay; the others read, change nothing and are told why; all is listed and on record."""
    first, second = make_member(tenant, Role.ADMIN), make_member(tenant, Role.ADMIN)
    secrets = [issue(tenant, "tenant:scans:read", "tenant:assets:write", name=f"Key {n}")[1] for n in range(6)]
    with tenant.unit(Home.ACCOUNT) as unit:
        made = [workspaces.create_workspace(unit, name=f"Place {n}").id for n in range(3)]
        unit.commit()
    change_plan(tenant, worker_units, "free")

    assert beyond(tenant) == {
        "api_keys": ["Key 5"],
        "seats": [first.email, second.email],
        "workspaces": ["Place 2"],
    }
    assert as_member(tenant).beyond is None
    admin = as_member(first)
    assert "tenant:scans:read" in admin.permissions and "tenant:people:write" not in admin.permissions
    with tenant.unit(actor=admin) as unit, pytest.raises(BeyondPlan, match="seat") as refused:
        require(unit, Permission.SCANS_WRITE)
    assert refused.value.extra == {"permission": "tenant:scans:write", "quota": "seats"}
    with tenant.unit(actor=admin) as unit, pytest.raises(PermissionDenied, match="This needs"):
        require(unit, Permission.PLAN_WRITE)  # an administrator never held it

    assert by_key(tenant, secrets[4]).permissions == {"tenant:scans:read", "tenant:assets:write"}
    last = by_key(tenant, secrets[5])
    assert last.permissions == {"tenant:scans:read"}
    with tenant.unit(actor=last) as unit, pytest.raises(BeyondPlan, match="API key"):
        require(unit, Permission.ASSETS_WRITE)

    with tenant.unit() as unit, pytest.raises(BeyondPlan, match="Place 2"):
        assets.add_document(unit, name="Letter", text="Dear", workspace_id=made[2])
    with tenant.unit() as unit:
        assets.add_document(unit, name="Letter", text="Dear", workspace_id=made[1])
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(QuotaExceeded):
        workspaces.create_workspace(unit, name="One more")
    with tenant.unit(Home.ACCOUNT) as unit:
        written = next(event for event in audit.list_events(unit).rows if event.action == "plan.settle")
        assert written.after == {
            "read_only_api_keys": ["Key 5"],
            "read_only_seats": sorted([first.email, second.email]),
            "read_only_workspaces": ["Place 2"],
        }

    told = text_of(letters.last(tenant.email))
    assert "is on the plan Free now: agreed by telephone" in told and "Read-only now, API keys: Key 5." in told

    change_plan(tenant, worker_units, "professional")
    assert beyond(tenant) == {}
    assert "tenant:people:write" in as_member(first).permissions


def test_the_next_one_comes_in_when_one_is_given_up(tenant: Made, worker_units: Units) -> None:
    """A person removed, a key revoked or expired, a workspace archived: the oldest of those beyond takes over."""
    first, second = make_member(tenant), make_member(tenant)
    for number in range(4):
        issue(tenant, "tenant:scans:read", name=f"Key {number}")
    with tenant.unit(Home.ACCOUNT) as unit:
        made = [workspaces.create_workspace(unit, name=f"Place {number}").id for number in range(3)]
        unit.commit()
    for name, value in (("seats", 2), ("api_keys", 2), ("workspaces", 2)):
        override(tenant, worker_units, "quota", name, value)
    assert beyond(tenant) == {
        "api_keys": ["Key 2", "Key 3"],
        "seats": [second.email],
        "workspaces": ["Place 1", "Place 2"],
    }
    with tenant.unit(Home.ACCOUNT) as unit:
        keys = {key.name: key for key in unit.session.query(ApiKey)}
        api_keys.revoke_key(unit, keys["Key 0"].id)
        memberships.end_membership(unit, user_of(first), reason="left")
        workspaces.archive_workspace(unit, made[0])
        unit.commit()
    assert beyond(tenant) == {"api_keys": ["Key 3"], "workspaces": ["Place 2"]}
    with tenant.unit(Home.ACCOUNT) as unit:
        keys["Key 1"] = unit.session.merge(keys["Key 1"])
        keys["Key 1"].expires_at = unit.now() - timedelta(seconds=1)
        unit.commit()
    assert beyond(tenant)["api_keys"] == ["Key 3"]
    assert Steward(worker_units).let_keys_in() >= 1
    assert "api_keys" not in beyond(tenant)
    assert Steward(worker_units).let_keys_in() == 0


def test_an_owner_beyond_the_plan_may_still_ask_for_another(tenant: Made, worker_units: Units) -> None:
    """Of two owners the older one stays; the other reads and asks, and a maker's keys read with their maker."""
    other = make_member(tenant, Role.ADMIN)
    with tenant.unit(Home.ACCOUNT) as unit:
        memberships.put_role(unit, memberships.get_member(unit, user_of(other)), Role.OWNER)
        unit.commit()
    theirs = Made(tenant.id, tenant.slug, other.email, "", as_member(other), tenant.units)
    secret = issue(theirs, "tenant:scans:write")[1]
    change_plan(tenant, worker_units, "free")
    owner = as_member(other)
    assert "tenant:plan:write" in owner.permissions and "tenant:ownership:write" in owner.withheld
    with tenant.unit(Home.ACCOUNT, actor=owner) as unit:
        plan_requests.request_plan(unit, "enterprise")
    key = by_key(tenant, secret)
    assert key.beyond == "seats" and key.permissions == frozenset()


def test_an_overrides_end_is_settled_by_the_worker(tenant: Made, worker_units: Units) -> None:
    """From its last moment on the plan's figure holds; the worker marks what that leaves no room for, once."""
    change_plan(tenant, worker_units, "free")
    with tenant.unit(Home.ACCOUNT) as unit:
        soon = unit.now() + timedelta(seconds=30)
    made = override(tenant, worker_units, "quota", "seats", 3, until=soon)
    guest = make_member(tenant)
    assert beyond(tenant) == {}
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        unit.session.get_one(plan_overrides.PlanOverride, (tenant.id, made.id)).until = unit.now()
        unit.commit()
    assert Steward(worker_units).end_overrides() >= 1
    assert beyond(tenant) == {"seats": [guest.email]}
    assert Steward(worker_units).end_overrides() == 0
    with tenant.unit(Home.ACCOUNT) as unit:
        actions = [event.action for event in audit.list_events(unit).rows]
        assert actions.count("plan.override-expire") == 1


def test_one_seat_and_one_workspace_are_left_whatever_was_agreed_on(tenant: Made, worker_units: Units) -> None:
    """With a figure of nothing the first owner still acts, in the default workspace; of keys none does."""
    issue(tenant, "tenant:scans:read", name="Only key")
    for name in ("seats", "api_keys", "workspaces"):
        override(tenant, worker_units, "quota", name, 0)
    assert beyond(tenant) == {"api_keys": ["Only key"]}
    assert as_member(tenant).beyond is None


def test_a_request_that_waits_is_answered_by_a_change_of_plan(tenant: Made, worker_units: Units) -> None:
    """As approved where it is the plan that was asked for, else as declined with the reason."""
    for given, status in (("enterprise", "approved"), ("starter", "declined")):
        with tenant.unit(Home.ACCOUNT) as unit:
            plan_requests.request_plan(unit, "enterprise" if given == "enterprise" else "free")
            unit.commit()
        change_plan(tenant, worker_units, given)
        with tenant.unit(Home.ACCOUNT) as unit:
            made = plan_requests.last_request(unit)
            assert made is not None and (made.status, made.answer) == (status, "agreed by telephone")
            assert plan_requests.pending_request(unit) is None
            verb = "plan.approve" if status == "approved" else "plan.decline"
            assert verb in [event.action for event in audit.list_events(unit).rows]


def test_no_seat_is_added_while_the_plan_is_settled(tenant: Made, worker_units: Units) -> None:
    """Who asks for room waits for a change of plan under way, and then sees its figures."""
    with tenant.unit(Home.ACCOUNT) as unit, tenant_scope(tenant.id):
        assert excess.foresee(unit, PlanName.FREE) == []
        with worker_units.open(Home.ACCOUNT, STAFF) as staff:
            lifecycles.change_plan(staff, "free", "agreed by telephone")
            unit.session.execute(_SHORT)
            with pytest.raises(Exception, match="lock timeout"):
                _ask_for_a_seat(unit)
            staff.commit()
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(QuotaExceeded):
        _ask_for_a_seat(unit)


def _ask_for_a_seat(unit: Unit) -> None:
    quotas.require_room(unit, Quota.SEATS)


def test_a_suspended_trial_is_not_lengthened(tenant: Made, worker_units: Units) -> None:
    """Resumed after its end it is a trial again, which the worker ends at once, on the free plan."""
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        lifecycles.suspend_tenant(unit, "unpaid")
        unit.session.get_one(Tenant, tenant.id).trial_ends_at = unit.now() - timedelta(days=1)
        unit.commit()
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        assert lifecycles.resume_tenant(unit, "paid").status == "trial"
        unit.commit()
    assert Steward(worker_units).end_trials() >= 1
    with tenant.unit(Home.ACCOUNT) as unit:
        row = unit.session.get_one(Tenant, tenant.id)
        assert (row.status, row.plan) == ("active", "free")
