"""The life of a tenant: trial, active, suspended, deleted, restored; each step is on record and says why."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from app.core.errors import Conflict, Invalid
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.tenants import Tenant
from app.outbox.requests import request_effect
from app.services import audit
from app.services.access import require
from app.services.plans import PlanName
from app.tenancy.actors import ActorKind

KEPT = timedelta(days=30)
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
    _require_staff(unit)
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
    _require_staff(unit)
    tenant = present_tenant(unit)
    if tenant.status != "suspended":
        raise Conflict(f"The tenant is {tenant.status}, not suspended.")
    _move(
        unit, tenant, "tenant.resume", why=checked_reason(reason), status=_open_status(unit, tenant), status_reason=None
    )
    tenant.suspended_at = tenant.suspended_reason = None
    return tenant


def change_plan(unit: Unit, plan: str, reason: str) -> Tenant:
    """Give the tenant another plan; a trial is over with it. Staff alone may. Raises Invalid for an unknown plan."""
    _require_staff(unit)
    if plan not in PLANS:
        raise Invalid("There is no such plan.", fields={"plan": "choose one of " + ", ".join(PLANS)})
    tenant = present_tenant(unit)
    status = "active" if tenant.status == "trial" else tenant.status
    _move(unit, tenant, "tenant.change-plan", why=checked_reason(reason), plan=plan, status=status, trial_ends_at=None)
    return tenant


def end_trial(unit: Unit) -> bool:
    """Put a tenant whose trial is over on the free plan; False where there is nothing to do. Nothing is deleted."""
    tenant = present_tenant(unit)
    if tenant.status != "trial" or tenant.trial_ends_at is None or tenant.trial_ends_at > unit.now():
        return False
    _move(unit, tenant, "tenant.end-trial", plan="free", status="active")
    return True


def delete_tenant(unit: Unit, slug: str, reason: str = "") -> Tenant:
    """Close the tenant for good; it is kept for 30 days, in which it can be restored.

    Needs tenant:ownership:write, or staff; `slug` is typed by whoever deletes. Raises Invalid where it is another,
    Conflict where the tenant is deleted already.
    """
    _require_owner_or_staff(unit)
    tenant = present_tenant(unit)
    if slug.strip() != tenant.slug:
        raise Invalid("The tenant was not deleted.", fields={"slug": f"type {tenant.slug} to delete it"})
    if tenant.status not in (*OPEN, "suspended"):
        raise Conflict(f"The tenant is {tenant.status}.")
    now = unit.now()
    words = checked_reason(reason) if reason.strip() else f"Deleted by {unit.actor.label}."
    _move(unit, tenant, "tenant.delete", status="deleted", status_reason=words, deleted_at=now, purge_at=now + KEPT)
    request_effect(unit, "tenant.stop", {})
    return tenant


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
    """Return the unit's tenant, if it is deleted. Needs tenant:ownership:write, or staff. Raises Conflict."""
    _require_owner_or_staff(unit)
    tenant = present_tenant(unit)
    if tenant.status != "deleted":
        raise Conflict(f"The tenant is {tenant.status}, not deleted.")
    return tenant


def checked_reason(reason: str) -> str:
    """Return the reason without space around it. Raises Invalid for an empty or long one."""
    words = reason.strip()
    if not words or len(words) > LONGEST_REASON or not words.isprintable():
        raise Invalid("Say why.", fields={"reason": f"1 to {LONGEST_REASON} characters, on one line"})
    return words


def _open_status(unit: Unit, tenant: Tenant) -> str:
    return "trial" if tenant.trial_ends_at is not None and tenant.trial_ends_at > unit.now() else "active"


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


def _require_staff(unit: Unit) -> None:
    if unit.actor.kind is not ActorKind.STAFF:
        raise Conflict("The platform's staff alone does this.")


def _require_owner_or_staff(unit: Unit) -> None:
    if unit.actor.kind is not ActorKind.STAFF:
        require(unit, Permission.OWNERSHIP_WRITE)
