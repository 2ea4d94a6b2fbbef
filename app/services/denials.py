"""What was denied in a tenant: a permission that lacks, a network that is not the key's, a tenant that is closed."""

from datetime import timedelta

from sqlalchemy import func, select

from app.core.errors import AppError, PermissionDenied, TenantClosed
from app.db.units import Unit
from app.services import audit

SPAN = timedelta(hours=1)
MOST_OF_ONE = 30
MOST_OF_ALL = 300


def counts(error: AppError) -> bool:
    """Tell whether an error is a denial to be written down: not what a person is only asked to do first."""
    return type(error) in (PermissionDenied, TenantClosed)


def record_denial(unit: Unit, error: AppError, *, method: str, route: str) -> bool:
    """Record that the unit's actor was denied; False where the log has had its share of this hour.

    Of one actor 30 an hour are written, of a tenant 300, so that nobody fills the log.
    """
    log = audit.LOGS[unit.home]
    recent = select(func.count()).where(log.action == "access.deny", log.at > unit.now() - SPAN)
    ours = recent.where(log.actor_label == unit.actor.label)
    if (unit.session.scalar(ours) or 0) >= MOST_OF_ONE or (unit.session.scalar(recent) or 0) >= MOST_OF_ALL:
        return False
    given = {"method": method, "route": route, "reason": error.detail, **_permission(error)}
    audit.record(unit, "access.deny", "route", None, after=given)
    return True


def _permission(error: AppError) -> dict[str, object]:
    lacking = error.extra.get("permission")
    return {} if lacking is None else {"permission": lacking}
