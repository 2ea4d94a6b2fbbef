"""API calls by the minute: sums that a process writes in batches, and brings back to the rows where it was killed.

The rows of the calls are what counts; these are their sums, so that a month is added up without reading every call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services.access import require

NOBODY = UUID(int=0)
# A batch that is written later than this is not added: its minutes are counted anew from the rows.
LATE = timedelta(minutes=1)
FLUSHES_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Minute:
    """What calls are summed by: the minute (UTC), the key (NOBODY for a person's), the endpoint."""

    minute: datetime
    key_id: UUID
    endpoint: str


def minute_of(at: datetime, key_id: UUID | None, endpoint: str) -> Minute:
    """Return the minute that a call at `at` belongs to."""
    return Minute(at.replace(second=0, microsecond=0), key_id or NOBODY, endpoint)


def add_minutes(unit: Unit, flush_id: UUID, counts: Mapping[Minute, int]) -> bool:
    """Add a batch, once: one of the same id changes nothing. False where it was written before."""
    now = unit.now()
    first = unit.session.execute(_FLUSH, {"id": flush_id, "now": now}).one_or_none()
    if first is None:
        return False
    fresh = {minute: number for minute, number in counts.items() if now - minute.minute <= LATE + timedelta(minutes=1)}
    for minute in sorted({each.minute for each in counts} - {each.minute for each in fresh}):
        recount(unit, minute, minute + timedelta(minutes=1))
    rows = [
        {"minute": each.minute, "key": each.key_id, "endpoint": each.endpoint, "number": number}
        for each, number in sorted(fresh.items(), key=lambda pair: (pair[0].minute, pair[0].key_id, pair[0].endpoint))
    ]
    if rows:
        unit.session.execute(_ADD, rows)
    unit.session.execute(_FORGET, {"before": now - FLUSHES_KEPT})
    return True


def recount(unit: Unit, since: datetime, until: datetime) -> None:
    """Make the sums of the minutes from `since` to before `until` what the rows say; call it when they are over."""
    span = {"since": since, "until": until}
    unit.session.execute(_CLEAR, span)
    unit.session.execute(_COUNT, {**span, "nobody": NOBODY})


def calls_this_month(unit: Unit) -> int:
    """Return the sum of this month's calls (UTC, the database's clock), at most a second behind. Needs usage:read."""
    require(unit, Permission.USAGE_READ)
    return int(unit.at_home(Home.CONTENT).session.execute(_MONTH, {"tenant": unit.tenant_id}).scalar_one())


_FLUSH = text(
    "INSERT INTO usage_flushes (id, at) VALUES (:id, :now) ON CONFLICT (tenant_id, id) DO NOTHING RETURNING id"
)
_FORGET = text("DELETE FROM usage_flushes WHERE at < :before")
_ADD = text(
    "INSERT INTO usage_minutes AS m (minute, key_id, endpoint, calls) VALUES (:minute, :key, :endpoint, :number) "
    "ON CONFLICT (tenant_id, minute, key_id, endpoint) DO UPDATE SET calls = m.calls + EXCLUDED.calls"
)
_CLEAR = text("DELETE FROM usage_minutes WHERE minute >= :since AND minute < :until")
_COUNT = text(
    "INSERT INTO usage_minutes (minute, key_id, endpoint, calls) "
    "SELECT date_trunc('minute', at), coalesce(key_id, :nobody), endpoint, count(*) FROM api_calls "
    "WHERE at >= :since AND at < :until GROUP BY 1, 2, 3 "
    "ON CONFLICT (tenant_id, minute, key_id, endpoint) DO UPDATE SET calls = EXCLUDED.calls"
)
_MONTH = text(
    "SELECT coalesce(sum(calls), 0) FROM usage_minutes WHERE tenant_id = :tenant "
    "AND minute >= date_trunc('month', clock_timestamp(), 'UTC')"
)
