"""Asking for another plan: until there is billing, a request that staff approve or decline."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.plans import PlanRequest
from app.models.tenants import Tenant
from app.outbox.requests import request_effect
from app.services import audit, excess, quotas
from app.services.access import require
from app.services.plans import (
    FEATURE_NAMES,
    QUOTA_NAMES,
    Feature,
    PlanName,
    Quota,
    entitlements,
    plan_named,
    plan_of,
)
from app.tenancy.actors import ActorKind

LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a change of plan takes away: quotas of which more is used than it allows (name, used, limit), features.

    `kept_days`: for how long audit events are kept now, and then, where that is less.
    """

    beyond: tuple[tuple[str, int, int], ...]
    lost: tuple[str, ...]
    kept_days: tuple[int, int] | None = None


def consequences(unit: Unit, plan: PlanName) -> Consequences:
    """Return what would exceed `plan`, and what it leaves out that the tenant has. Needs tenant:plan:read."""
    require(unit, Permission.PLAN_READ)
    has = entitlements(unit)
    there = {quota: used for quota in has.quotas if (used := quotas.used_now(unit, quota)) is not None}
    now, then = plan_of(has.plan).retention_days, plan_of(plan).retention_days
    foreseen = foresee(there, has.features, plan, has.overridden)
    return replace(foreseen, kept_days=(now, then) if then < now else None)


def foresee(
    there: Mapping[Quota, int], features: Collection[Feature], plan: PlanName, agreed: Collection[str]
) -> Consequences:
    """Return what `plan` has no room for, and what it leaves out; what was agreed on with the tenant stays in force."""
    exceeded = excess.beyond(there, plan, agreed)
    beyond = tuple((QUOTA_NAMES[quota], used, limit) for quota, used, limit in exceeded)
    return Consequences(beyond, lost_with(features, plan, agreed))


def lost_with(features: Collection[Feature], plan: PlanName, agreed: Collection[str]) -> tuple[str, ...]:
    """Return the names of those features that `plan` leaves out, but for what was agreed on."""
    lost = set(features) - plan_of(plan).features
    return tuple(sorted(FEATURE_NAMES[feature] for feature in lost if str(feature) not in agreed))


def pending_request(unit: Unit) -> PlanRequest | None:
    """Return the request that waits for an answer. Needs tenant:plan:read."""
    require(unit, Permission.PLAN_READ)
    return waiting_request(unit)


def waiting_request(unit: Unit) -> PlanRequest | None:
    """Return the same to whoever works for the platform."""
    return unit.session.scalar(select(PlanRequest).where(PlanRequest.status == "pending"))


def last_request(unit: Unit) -> PlanRequest | None:
    """Return the newest request, whatever became of it. Needs tenant:plan:read."""
    require(unit, Permission.PLAN_READ)
    return unit.session.scalar(
        select(PlanRequest).order_by(PlanRequest.asked_at.desc(), PlanRequest.id.desc()).limit(1)
    )


def request_plan(unit: Unit, plan: str, *, note: str = "") -> PlanRequest:
    """Ask for another plan; owners and staff are told by mail. Needs tenant:plan:write.

    Raises Invalid for an unknown or the present plan and a long note, Conflict while another request waits.
    """
    require(unit, Permission.PLAN_WRITE)
    present = entitlements(unit).plan
    try:
        wanted = plan_named(plan)
    except ValueError:
        raise Invalid("The plan was not asked for.", fields={"plan": "no such plan"}) from None
    if wanted is present:
        raise Invalid("The plan was not asked for.", fields={"plan": "this is the plan already"})
    if len(note.strip()) > LONGEST_NOTE:
        raise Invalid("The plan was not asked for.", fields={"note": f"at most {LONGEST_NOTE} characters"})
    made = PlanRequest(
        plan=str(wanted),
        plan_before=str(present),
        status="pending",
        note=note.strip(),
        asked_by=unit.actor.id,
        asked_label=unit.actor.label,
        asked_at=unit.now(),
    )
    try:
        with unit.session.begin_nested():
            unit.session.add(made)
    except IntegrityError:
        raise Conflict("Another plan is asked for already: withdraw that first.") from None
    audit.record(
        unit, "plan.request", "plan_request", made.id, before={"plan": str(present)}, after={"plan": made.plan}
    )
    _notify(unit, made)
    return made


def withdraw_request(unit: Unit, request_id: UUID) -> PlanRequest:
    """Take a request back. Needs tenant:plan:write. Raises NotFound, Conflict where it was decided on."""
    require(unit, Permission.PLAN_WRITE)
    request = _open_request(unit, request_id)
    request.status, request.decided_at, request.decided_by = "withdrawn", unit.now(), unit.actor.label
    audit.record(unit, "plan.withdraw", "plan_request", request.id, before={"plan": request.plan})
    _notify(unit, request)
    return request


def decide_request(
    unit: Unit, request_id: UUID, *, approve: bool, answer: str = "", reason: str | None = None
) -> PlanRequest:
    """Approve or decline a request. Staff only. With the approval the plan holds, and a trial is over.

    `answer` is mailed to the owners, `reason` stands in the logs. Raises PermissionDenied for a tenant's own people
    and keys, NotFound, Conflict where it was decided on.
    """
    if unit.actor.kind not in (ActorKind.STAFF, ActorKind.SYSTEM):
        raise PermissionDenied("Only the staff of the platform decide on plans.")
    request = _open_request(unit, request_id)
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    before = {"plan": tenant.plan, "status": tenant.status}
    if approve:
        tenant.plan, tenant.trial_ends_at = request.plan, None
        if tenant.status == "trial":
            tenant.status = "active"
        request_effect(unit, "scan.dispatch", {})  # there may be room now for scans that wait
    after = {"plan": tenant.plan, "status": tenant.status} | ({} if reason is None else {"reason": reason})
    _answer(unit, request, answer.strip() or None, approve=approve, before=before, after=after)
    if approve:
        excess.settle(unit)
    return request


def answer_waiting(unit: Unit, reason: str) -> None:
    """Close the request that waits, if any, since the plan has changed otherwise: nobody decides on it any more.

    It is approved where the plan is the one that was asked for, else declined, for the change's `reason`.
    """
    request = unit.session.scalar(select(PlanRequest).where(PlanRequest.status == "pending").with_for_update())
    if request is None:
        return
    plan = unit.session.get_one(Tenant, unit.tenant_id).plan
    before, after = {"plan": request.plan_before}, {"plan": plan}
    _answer(unit, request, reason, approve=plan == request.plan, before=before, after=after)


def _answer(
    unit: Unit,
    request: PlanRequest,
    answer: str | None,
    *,
    approve: bool,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """Close the request, on record and with mail; `before` and `after` are of the tenant."""
    request.status = "approved" if approve else "declined"
    request.decided_at, request.decided_by, request.answer = unit.now(), unit.actor.label, answer
    verb = "approve" if approve else "decline"
    audit.record(unit, f"plan.{verb}", "plan_request", request.id, before=before, after={**after, "answer": answer})
    _notify(unit, request)


def _open_request(unit: Unit, request_id: UUID) -> PlanRequest:
    request = unit.session.get(PlanRequest, (unit.tenant_id, request_id), with_for_update=True)
    if request is None:
        raise NotFound()
    if request.status != "pending":
        raise Conflict("This request was decided on or withdrawn already.")
    return request


def _notify(unit: Unit, request: PlanRequest) -> None:
    request_effect(unit, "plan.notice", {"request_id": str(request.id), "status": request.status})
