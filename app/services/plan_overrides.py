"""Overrides: figures that were agreed on with one tenant, with a reason and, if wanted, an end.

They are written by staff, with the worker's login: the login of the tenants' pages cannot write them.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.plans import PlanOverride
from app.outbox.requests import request_effect
from app.services import audit, excess, reminders
from app.services.access import require
from app.services.plans import Feature, Quota, Rate
from app.tenancy.actors import ActorKind

NAMES = {
    "quota": frozenset(map(str, Quota)),
    "rate": frozenset(map(str, Rate)),
    "feature": frozenset(map(str, Feature)),
}
LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to agree on; `value` None is unlimited, for a feature 1 gives and 0 takes away; `until` None is for good."""

    kind: str
    name: str
    value: int | None
    reason: str
    until: datetime | None = None


def override(unit: Unit, wanted: Wanted) -> PlanOverride:
    """Put a figure of the tenant's own in place of its plan's; it ends the one before. Staff only.

    Raises PermissionDenied for a tenant's own people and keys, Invalid for an unknown name, a value or reason that
    will not do, and an end that is over.
    """
    _staff_only(unit)
    if problems := _problems(unit, wanted):
        raise Invalid("The override was not made.", fields=problems)
    before = unit.session.scalar(_in_force().where(PlanOverride.kind == wanted.kind, PlanOverride.name == wanted.name))
    if before is not None:
        before.ended_at, before.ended_by = unit.now(), unit.actor.label
        unit.session.flush()
    made = PlanOverride(
        kind=wanted.kind,
        name=wanted.name,
        value=wanted.value,
        reason=wanted.reason.strip(),
        until=wanted.until,
        created_at=unit.now(),
        created_by=unit.actor.label,
    )
    unit.session.add(made)
    unit.session.flush()
    after = {"name": made.name, "value": made.value, "reason": made.reason, "until": _written(made.until)}
    was = None if before is None else {"name": before.name, "value": before.value}
    audit.record(unit, "plan.override", "plan_override", made.id, before=was, after=after)
    _hold(unit, made)
    return made


def end_override(unit: Unit, override_id: UUID, *, reason: str | None = None) -> PlanOverride:
    """End an override: the plan's figure holds again. Staff only. Raises NotFound, Conflict where it is over."""
    _staff_only(unit)
    found = unit.session.get(PlanOverride, (unit.tenant_id, override_id))
    if found is None:
        raise NotFound()
    if found.ended_at is not None:
        raise Conflict("This override has ended.")
    found.ended_at, found.ended_by = unit.now(), unit.actor.label
    audit.record(
        unit,
        "plan.override-end",
        "plan_override",
        found.id,
        before={"name": found.name, "value": found.value},
        after=None if reason is None else {"reason": reason},
    )
    _hold(unit, found)
    return found


def expire_override(unit: Unit, override_id: UUID) -> bool:
    """End an override whose end has come, for the worker; False where there is nothing to do.

    From its end on it holds no more, whoever asks; this settles what is beyond the plan without it.
    """
    found = unit.session.get(PlanOverride, (unit.tenant_id, override_id), with_for_update=True)
    if found is None or found.ended_at is not None or found.until is None or found.until > unit.now():
        return False
    found.ended_at, found.ended_by = found.until, "its end"
    before = {"name": found.name, "value": found.value, "until": _written(found.until)}
    audit.record(unit, "plan.override-expire", "plan_override", found.id, before=before)
    _hold(unit, found)
    return True


def _hold(unit: Unit, changed: PlanOverride) -> None:
    """Have what was changed hold from this commit on, for scans that wait as well."""
    if excess.settle(unit):
        reminders.tell_of_excess(unit, "What was agreed on in place of a figure of the plan has changed.")
    if changed.name == Quota.CONCURRENT_SCANS:
        request_effect(unit, "scan.dispatch", {})


def list_overrides(unit: Unit) -> list[PlanOverride]:
    """Return the overrides in force, by name. Needs tenant:plan:read."""
    require(unit, Permission.PLAN_READ)
    now = unit.now()
    rows = unit.session.scalars(_in_force().order_by(PlanOverride.name))
    return [row for row in rows if row.until is None or row.until > now]


def _in_force() -> Select[PlanOverride]:
    return select(PlanOverride).where(PlanOverride.ended_at.is_(None))


def _staff_only(unit: Unit) -> None:
    if unit.actor.kind not in (ActorKind.STAFF, ActorKind.SYSTEM):
        raise PermissionDenied("Only the staff of the platform override a plan.")


def _problems(unit: Unit, wanted: Wanted) -> dict[str, str]:
    problems: dict[str, str] = {}
    if wanted.name not in NAMES.get(wanted.kind, frozenset()):
        problems["name"] = "no such quota, rate or feature"
    elif wanted.kind == "rate" and (wanted.value is None or wanted.value < 1):
        problems["value"] = "a rate is at least 1 a minute"
    elif wanted.kind == "feature" and wanted.value not in (0, 1):
        problems["value"] = "1 gives the feature, 0 takes it away"
    elif wanted.value is not None and wanted.value < 0:
        problems["value"] = "must not be negative"
    if not 3 <= len(wanted.reason.strip()) <= LONGEST_REASON:
        problems["reason"] = f"between 3 and {LONGEST_REASON} characters"
    if wanted.until is not None and wanted.until <= unit.now():
        problems["until"] = "must lie in the future"
    return problems


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
