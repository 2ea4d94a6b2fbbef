"""What leaves a tenant's rows when its plan keeps it no longer: audit events and API calls. For the worker."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.units import Home, Unit

_PLACE = text("SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass('audit_events')")


def claim_archives(session: Session, most: int, every: timedelta) -> list[UUID]:
    """Take at most `most` tenants whose logs nobody looked over since `every` ago; they are due again after that."""
    call = text("SELECT auth.claim_archives(:most, :every)")
    return list(session.scalars(call, {"most": most, "every": every}))


def remove_events(unit: Unit, up_to: int, most: int) -> int:
    """Delete at most `most` of the oldest events under the seals up to number `up_to` of the unit's log.

    There must be a removal of that number; events that are not 30 days old stay. Return how many.
    """
    place = "account" if unit.home is Home.ACCOUNT else unit.session.scalar(_PLACE)
    call = text("SELECT archivist.remove_events(:place, :up_to, :most)")
    return int(unit.session.execute(call, {"place": place, "up_to": up_to, "most": most}).scalar_one())


def remove_calls(unit: Unit, before: date, most: int) -> int:
    """Delete at most `most` of the tenant's oldest API calls of UTC days before `before`; return how many.

    Calls that are not 30 days old stay, and those whose sums are there.
    """
    content = unit.at_home(Home.CONTENT).session
    call = text("SELECT archivist.remove_calls(:place, :before, :most)")
    given = {"place": content.scalar(_PLACE), "before": before, "most": most}
    return int(content.execute(call, given).scalar_one())
