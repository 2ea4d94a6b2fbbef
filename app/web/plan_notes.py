"""The quiet line above a tenant's pages: that its trial ends soon, or that whoever reads it is beyond the plan."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.permissions import Permission
from app.db.directory import TenantView
from app.db.units import Unit
from app.services import excess
from app.services.access import may
from app.services.plans import QUOTA_NAMES, PlanName

SHOWN_BEFORE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class PlanNote:
    """Either `read_only`, or the moment at which the trial ends with what Free has no room for: name, used, limit."""

    read_only: bool
    ends_at: datetime | None = None
    days: int = 0
    beyond: tuple[tuple[str, int, int], ...] = ()


def plan_note(unit: Unit, tenant: TenantView) -> PlanNote | None:
    """Return what is to be said, if anything; it is counted in the last seven days of a trial alone."""
    if unit.actor.beyond is not None:
        return PlanNote(read_only=True)
    if tenant.status != "trial" or tenant.trial_ends_at is None or not may(unit, Permission.PLAN_READ):
        return None
    left = tenant.trial_ends_at - unit.now()
    if not timedelta(0) < left <= SHOWN_BEFORE:
        return None
    beyond = tuple((QUOTA_NAMES[quota], used, limit) for quota, used, limit in excess.foresee(unit, PlanName.FREE))
    return PlanNote(False, tenant.trial_ends_at, -(-left // timedelta(days=1)), beyond)
