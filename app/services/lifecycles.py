"""The life of a tenant: trial, active, suspended, deleted, restored; each step is on record and says why."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission
from app.db import erasures
from app.db.units import Home, Unit
from app.models.scans import Scan
from app.models.tenants import Tenant
from app.outbox.requests import request_effect
from app.services import audit, excess, plan_requests, quotas, reminders
from app.services.access import require
from app.services.plans import PlanName, Quota, plan_named, plan_of
from app.tenancy.actors import ActorKind

OPEN = ("trial", "active")
PLANS = tuple(str(plan) for plan in PlanName)
LONGEST_REASON = 500


def present_tenant(unit: Unit) -> Tenant:
    """Return the unit's tenant."""
    return unit.session.get_one(Tenant, unit.tenant_id)


def suspend_tenant(unit: Unit, reason: str) -> Tenant:
    """Close the tenant: pages and keys are refused from the commit on, its scans are cancelled. Staff alone may.

    A second time changes nothing but the reason. Raises Conflict where it is deleted.
    """
    require_staff(unit)
    tenant = present_tenant(unit)
    if tenant.status not in (*OPEN, "suspended"):
        raise Conflict(f"The tenant is {tenant.status}.")
    why = checked_reason(reason)
    _move(unit, tenant, "tenant.suspend", status="suspended", status_reason=why)
    tenant.suspended_at, tenant.suspended_reason = tenant.suspended_at or unit.now(), why
    request_effect(unit, "tenant.stop", {})
    return tenant


def resume_tenant(unit: Unit, reason: str) -> Tenant:
    """Open a suspended tenant again, as a trial where its time is not over. Staff alone may. Raises Conflict."""
    require_staff(unit)
    tenant = present_tenant(unit)
    if tenant.status != "suspended":
        raise Conflict(f"The tenant is {tenant.status}, not suspended.")
    _move(
        unit, tenant, "tenant.resume", why=checked_reason(reason), status=_open_status(unit, tenant), status_reason=None
    )
    tenant.suspended_at = tenant.suspended_reason = None
    return tenant


def change_plan(unit: Unit, plan: str, reason: str) -> Tenant:
    """Give the tenant another plan; a trial is over with it, and a request that waits is answered. Staff alone may.

    What the plan has no room for is read-only from the commit on. Raises Invalid for an unknown plan.
    """
    require_staff(unit)
    if plan not in PLANS:
        raise Invalid("There is no such plan.", fields={"plan": "choose one of " + ", ".join(PLANS)})
    tenant = present_tenant(unit)
    status = "active" if tenant.status == "trial" else tenant.status
    why = checked_reason(reason)
    _move(unit, tenant, "tenant.change-plan", why=why, plan=plan, status=status, trial_ends_at=None)
    if excess.settle(unit):
        reminders.tell_of_excess(unit, f"{tenant.name} is on the plan {plan_of(plan_named(plan)).name} now: {why}")
    plan_requests.answer_waiting(unit, why)
    return tenant


def end_trial(unit: Unit) -> bool:
    """Put a tenant whose trial is over on the free plan; False where there is nothing to do.

    Nothing is deleted: what the free plan has no room for is read-only from the commit on, and the owners are told by
    mail which that is. A request for another plan goes on waiting.
    """
    tenant = unit.session.get_one(Tenant, unit.tenant_id, with_for_update=True)
    if tenant.status != "trial" or tenant.trial_ends_at is None or tenant.trial_ends_at > unit.now():
        return False
    _move(unit, tenant, "tenant.end-trial", plan="free", status="active")
    excess.settle(unit)
    reminders.tell_of_end(unit, tenant)
    return True


def delete_tenant(unit: Unit, slug: str, reason: str = "") -> Tenant:
    """Close the tenant for good; it is kept for as long as its plan says, and can be restored until then.

    Needs tenant:ownership:write, or staff; `slug` is typed by whoever deletes. Raises Invalid where it is another,
    Conflict where the tenant is deleted already.
    """
    _require_owner_or_staff(unit)
    tenant = present_tenant(unit)
    require_slug(tenant, slug)
    if tenant.status not in (*OPEN, "suspended"):
        raise Conflict(f"The tenant is {tenant.status}.")
    now = unit.now()
    words = checked_reason(reason) if reason.strip() else f"Deleted by {unit.actor.label}."
    due = now + kept_for(tenant.plan)
    _move(unit, tenant, "tenant.delete", status="deleted", status_reason=words, deleted_at=now, purge_at=due)
    request_effect(unit, "tenant.stop", {})
    return tenant


@dataclass(frozen=True, slots=True)
class Ending:
    """What a deletion of the tenant now would close, for how many days it is kept, and until when."""

    members: int
    api_keys: int
    workspaces: int
    scans_open: int
    days: int
    until: datetime


def foresee_deletion(unit: Unit) -> Ending:
    """Return what a deletion would do. Needs tenant:ownership:write."""
    require(unit, Permission.OWNERSHIP_WRITE)
    kept = kept_for(present_tenant(unit).plan)
    content = unit.at_home(Home.CONTENT).session
    return Ending(
        quotas.count_rows_of(unit, Quota.SEATS),
        quotas.count_rows_of(unit, Quota.API_KEYS),
        quotas.count_rows_of(unit, Quota.WORKSPACES),
        content.scalar(select(func.count()).where(Scan.status.in_(("queued", "running")))) or 0,
        kept.days,
        unit.now() + kept,
    )


def kept_for(plan: str) -> timedelta:
    """Return for how long a deleted tenant of `plan` is kept: the plan's retention."""
    return timedelta(days=plan_of(plan_named(plan)).retention_days)


def restore_tenant(unit: Unit, reason: str = "") -> Tenant:
    """Bring a deleted tenant back as it was: a suspended one suspended. Needs tenant:ownership:write, or staff.

    Raises Conflict where it is not deleted.
    """
    tenant = deleted_tenant(unit)
    why = checked_reason(reason) if reason.strip() else None
    _move(
        unit,
        tenant,
        "tenant.restore",
        why=why,
        status=_open_status(unit, tenant) if tenant.suspended_at is None else "suspended",
        status_reason=tenant.suspended_reason,
        deleted_at=None,
        purge_at=None,
    )
    return tenant


def deleted_tenant(unit: Unit) -> Tenant:
    """Return the unit's tenant, if it is deleted and not being erased. Needs tenant:ownership:write, or staff.

    Raises Conflict.
    """
    _require_owner_or_staff(unit)
    tenant = present_tenant(unit)
    if tenant.status != "deleted":
        raise Conflict(f"The tenant is {tenant.status}, not deleted.")
    if erasures.begun(unit.session, unit.tenant_id):
        raise Conflict("The tenant is being erased. It cannot be restored any more.")
    return tenant


def require_slug(tenant: Tenant, slug: str) -> None:
    """Return if the slug is the tenant's. Raises Invalid."""
    if slug.strip() != tenant.slug:
        raise Invalid("The tenant was not deleted.", fields={"slug": f"type {tenant.slug} to delete it"})


def checked_reason(reason: str) -> str:
    """Return the reason without space around it. Raises Invalid for an empty or long one."""
    words = reason.strip()
    if not words or len(words) > LONGEST_REASON or not words.isprintable():
        raise Invalid("Say why.", fields={"reason": f"1 to {LONGEST_REASON} characters, on one line"})
    return words


def _open_status(unit: Unit, tenant: Tenant) -> str:
    """A trial whose time ran out meanwhile is one again, and the worker ends it as any other."""
    if tenant.trial_ends_at is None:
        return "active"
    return "trial" if tenant.trial_ends_at > unit.now() or tenant.plan != PlanName.FREE else "active"


def _move(unit: Unit, tenant: Tenant, action: str, *, why: str | None = None, **values: Any) -> None:
    before = {name: _written(getattr(tenant, name)) for name in values}
    for name, value in values.items():
        setattr(tenant, name, value)
    after = {name: _written(value) for name, value in values.items()}
    changed = [name for name in values if before[name] != after[name]]
    said = {} if why is None else {"reason": why}
    if changed or said:
        audit.record(
            unit,
            action,
            "tenant",
            tenant.id,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed} | said,
        )
    if {"plan", "status"} & set(changed):
        request_effect(unit, "scan.dispatch", {})  # there may be room now for scans that wait


def _written(value: Any) -> Any:
    as_text: Callable[..., str] | None = getattr(value, "isoformat", None)
    return value if as_text is None else as_text(timespec="seconds")


def require_staff(unit: Unit) -> None:
    """Return if the platform's staff acts. Raises Conflict."""
    if unit.actor.kind is not ActorKind.STAFF:
        raise Conflict("The platform's staff alone does this.")


def _require_owner_or_staff(unit: Unit) -> None:
    if unit.actor.kind is not ActorKind.STAFF:
        require(unit, Permission.OWNERSHIP_WRITE)
