"""Plans: the file, what it comes to for a tenant, overrides and the gate of features."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from pydantic import ValidationError
from sqlalchemy.exc import ProgrammingError

from app.core.errors import FeatureMissing, Invalid, PermissionDenied
from app.core.settings import settings
from app.db.units import Home, Units
from app.models.plans import PlanOverride
from app.services import audit, audit_exports, connections, entrances, plan_overrides, plans
from app.services.accounts import Origin
from app.services.plan_overrides import Wanted
from app.services.plans import FILE, Feature, PlanName, Quota, Rate, read_plans
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers.programs import issue
from tests.peers.tenants import Made

STAFF = system_actor("staff sam@example.com")


def override(made: Made, worker_units: Units, kind: str, name: str, value: int | None, **more: object) -> PlanOverride:
    """Agree on a figure, as staff do."""
    with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        found = plan_overrides.override(unit, Wanted(kind, name, value, "agreed by mail", **more))  # type: ignore[arg-type]
        unit.commit()
        return found


def test_the_documents_figures_are_all_in_the_file() -> None:
    """The tables of the three specifications stand in the file; what is enforced follows the choices named there."""
    documents, chosen = plans.load_plans().documents, plans.load_plans().plans
    b, c = documents["B"], documents["C"]
    assert [b[name]["maxUsers"] for name in b] == [1, 5, 25, "unlimited"]
    assert [c[name]["api_calls_per_minute"] for name in c] == [100, 1000, 10000, 100000, 100000]
    assert [documents["A"][name]["max_concurrent"] for name in ("free", "pro", "enterprise")] == [2, 5, 20]
    for name in ("free", "starter", "professional", "enterprise"):
        plan = chosen[PlanName(name)]
        assert plan.price == (None if b[name]["price"] == "custom" else b[name]["price"])
        assert plan.rates == {Rate.API_REQUESTS: b[name]["api_requests"], Rate.SCAN_STARTS: b[name]["agent_spawns"]}
        bounds = (Quota.SEATS, Quota.WORKSPACES, Quota.STORAGE_GB, Quota.LLM_TOKENS_MONTH)
        figures = (b[name][each] for each in ("maxUsers", "maxProjects", "maxStorageGB", "maxTokensPerMonth"))
        assert [plan.quotas[each] for each in bounds] == [None if f == "unlimited" else f for f in figures]
        assert (plan.retention_days, plan.quotas[Quota.SENSORS]) == (c[name]["retention_days"], c[name]["max_agents"])
    for name, document in (("free", "free"), ("professional", "pro"), ("enterprise", "enterprise")):
        plan, figure = chosen[PlanName(name)], documents["A"][document]
        assert (plan.queue.workers, plan.queue.priority) == (figure["workers"], figure["priority"])
        assert plan.quotas[Quota.CONCURRENT_SCANS] == figure["max_concurrent"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: f["plans"]["free"]["quotas"].pop("seats"), "names every quota"),
        (lambda f: f["plans"]["free"]["quotas"].update(seats=0), "at least 1"),
        (lambda f: f["plans"]["free"]["rates"].pop("scan_starts"), "names every rate"),
        (lambda f: f["plans"]["free"].update(features=["magic"]), "features"),
        (lambda f: f["plans"]["free"].update(tools=["hammer"]), "no such tool: hammer"),
        (lambda f: f["plans"]["enterprise"].update(features=[]), "Enterprise lacks what Professional has"),
        (lambda f: f["plans"].pop("starter"), "holds every plan"),
        (lambda f: f["plans"]["free"].update(colour="blue"), "colour"),
        (lambda f: f.update(version=2), "version"),
    ],
)
def test_a_fault_in_the_file_is_told(change: Callable[[dict], object], told: str) -> None:
    """A file that lacks something, or holds what nobody knows, is refused when it is read."""
    held = yaml.safe_load(FILE.read_text())
    change(held)
    with pytest.raises(ValidationError, match=told):
        read_plans(yaml.safe_dump(held, sort_keys=False))


def test_an_override_stands_in_place_of_the_plans_figure(tenant: Made, worker_units: Units) -> None:
    """What was agreed on holds until it ends, is replaced or its last moment is over; each change is on record."""
    with tenant.unit() as unit:
        assert plans.entitlements(unit).quotas[Quota.SCANS] == 10_000
    made = override(tenant, worker_units, "quota", "scans", 7)
    override(tenant, worker_units, "rate", "api_requests", 5)
    override(tenant, worker_units, "feature", "audit_export", 0)
    with tenant.unit(Home.ACCOUNT) as unit:
        allowed = plans.entitlements(unit)
        assert (allowed.quotas[Quota.SCANS], allowed.rates[Rate.API_REQUESTS]) == (7, 5)
        assert allowed.features == frozenset()
        assert [row.name for row in plan_overrides.list_overrides(unit)] == ["api_requests", "audit_export", "scans"]
        assert [event.action for event in audit.list_events(unit).rows][:3] == ["plan.override"] * 3
    override(tenant, worker_units, "quota", "scans", None)
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        assert plans.entitlements(unit).quotas[Quota.SCANS] is None
        newest = unit.session.get(PlanOverride, (tenant.id, made.id))
        assert newest is not None and newest.ended_at is not None
        ending = plan_overrides.override(unit, Wanted("quota", "scans", 3, "for a day", unit.now() + timedelta(days=1)))
        assert plans.entitlements(unit).quotas[Quota.SCANS] == 3
        ending.until = unit.now()
        unit.commit()
    with tenant.unit() as unit:
        assert plans.entitlements(unit).quotas[Quota.SCANS] == 10_000
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        plan_overrides.end_override(unit, ending.id)
        unit.commit()


def test_what_comes_with_a_key_is_what_its_tenant_has(
    tenants: Callable[[], Made], units: Units, worker_units: Units
) -> None:
    """Plan and overrides in force come with the key, its own tenant's alone: the same as are read for themselves."""
    tenant, other = tenants(), tenants()
    override(tenant, worker_units, "quota", "texts", 7)
    override(tenant, worker_units, "quota", "scans", None)
    override(tenant, worker_units, "feature", "audit_export", 0)
    over = override(tenant, worker_units, "rate", "api_requests", 5, until=datetime.now(UTC) + timedelta(days=1))
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
        unit.session.get_one(PlanOverride, (tenant.id, over.id)).until = unit.now()
        unit.commit()
    override(other, worker_units, "quota", "api_keys", 3)
    _key, secret = issue(tenant)
    with units.identify() as door:
        found = entrances.find_key(door, secret, peppers=settings().peppers, origin=Origin(None, None, "told"))
        assert len(found.holder.tenant.overrides) == 3
        unit = entrances.by_key(door, found)
        told = plans.entitlements(unit)
        plans.forget_entitlements(unit)
        assert told == plans.entitlements(unit)
    assert (told.quotas[Quota.TEXTS], told.quotas[Quota.SCANS], told.features) == (7, None, frozenset())


def test_no_tenant_overrides_its_own_plan(tenant: Made, worker_units: Units) -> None:
    """Neither the verb nor the login of the tenants' pages writes an override."""
    wanted = Wanted("quota", "scans", None, "because I can")
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(PermissionDenied):
        plan_overrides.override(unit, wanted)
    with tenant.unit(Home.ACCOUNT, STAFF) as unit, pytest.raises(ProgrammingError, match="permission denied"):
        plan_overrides.override(unit, wanted)
    made = override(tenant, worker_units, "quota", "scans", 7)
    with tenant.unit(Home.ACCOUNT) as unit:
        row = unit.session.get_one(PlanOverride, (tenant.id, made.id))
        row.value = 10**9
        with pytest.raises(ProgrammingError, match="permission denied"):
            unit.session.flush()


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (Wanted("quota", "wishes", 1, "agreed"), "name"),
        (Wanted("rate", "api_requests", None, "agreed"), "value"),
        (Wanted("feature", "sso", 2, "agreed"), "value"),
        (Wanted("quota", "scans", -1, "agreed"), "value"),
        (Wanted("quota", "scans", 1, " "), "reason"),
    ],
)
def test_an_override_needs_a_known_name_a_value_and_a_reason(
    wanted: Wanted, field: str, tenant: Made, worker_units: Units
) -> None:
    """What will not do is named."""
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, STAFF) as unit, pytest.raises(Invalid) as refused:
        plan_overrides.override(unit, wanted)
    assert list(refused.value.fields) == [field]


def test_one_gate_for_features(tenant: Made, worker_units: Units) -> None:
    """The gate names the feature and the plans that have it, for a person as for the worker."""
    with tenant.unit() as unit:
        plans.require_feature(unit, Feature.AUDIT_EXPORT)
        with pytest.raises(FeatureMissing) as refused:
            plans.require_feature(unit, Feature.SSO)
    assert refused.value.status == 403
    assert refused.value.extra == {
        "feature": "sso",
        "plan": "professional",
        "plans": ["enterprise", "custom"],
    }
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, STAFF) as unit, pytest.raises(FeatureMissing):
        plans.require_feature(unit, Feature.SSO)
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(FeatureMissing):
        connections.start_connection(unit)
    override(tenant, worker_units, "feature", "audit_export", 0)
    with tenant.unit(Home.ACCOUNT) as unit, pytest.raises(FeatureMissing, match="Export of the audit log"):
        audit_exports.begin_export(unit, "csv", audit.EVERYTHING)
