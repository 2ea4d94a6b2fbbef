"""API calls by the minute and by the day: sums that a process writes in batches, and that are brought back to the rows.

The rows of the calls are what counts; these are their sums, so that a month is added up without reading every call.
The minutes of a day are kept until an hour after its end; then the day is summed from the rows and they are gone. So a
call is in one minute or in one day, and what was used is the sum of both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from app.core.clock import start_of
from app.core.permissions import Permission
from app.db.locks import Lock, hold
from app.db.units import Home, Unit
from app.services.access import require
from app.services.calls import Call, write_calls
from app.services.plans import entitlements, plan_of

NOBODY = UUID(int=0)
# A batch that is written later than this is not added: its minutes are counted anew from the rows.
LATE = timedelta(minutes=1)
FLUSHES_KEPT = timedelta(days=1)
# So long after its end a day is over for good; auth.usage_due has the same.
SETTLES = timedelta(hours=1)
CHECKED = frozenset({"blocked", "allowed"})  # verdicts of calls that used up a text


@dataclass(frozen=True, slots=True)
class Minute:
    """What calls are summed by: the minute (UTC), the key (NOBODY for a person's token) or the person, the endpoint."""

    minute: datetime
    key_id: UUID
    endpoint: str
    workspace_id: UUID = NOBODY
    person: str = ""
    checked: bool = False


def minute_of(call: Call) -> Minute:
    """Return the minute that a call belongs to; the person is named only where no key called."""
    named = call.key_name if call.key_id is None else ""
    start = call.at.astimezone(UTC).replace(second=0, microsecond=0)
    checked = call.verdict in CHECKED
    return Minute(start, call.key_id or NOBODY, call.endpoint, call.workspace_id or NOBODY, named, checked)


def add_minutes(unit: Unit, flush_id: UUID, counts: Mapping[Minute, int], unwritten: Sequence[Call] = ()) -> bool:
    """Add a batch and write its calls that have no row yet, once: one of the same id changes nothing.

    False where it was written before.
    """
    now = unit.now()
    first = unit.session.execute(_FLUSH, {"id": flush_id, "now": now}).one_or_none()
    if first is None:
        return False
    write_calls(unit, unwritten)
    fresh = {minute: number for minute, number in counts.items() if now - minute.minute <= LATE + timedelta(minutes=1)}
    _bring_back(unit, {each.minute for each in counts} - {each.minute for each in fresh})
    rows = [
        {
            "minute": each.minute,
            "key": each.key_id,
            "workspace": each.workspace_id,
            "person": each.person,
            "endpoint": each.endpoint,
            "number": number,
            "texts": number if each.checked else 0,
        }
        for each, number in sorted(fresh.items(), key=lambda pair: str(pair[0]))
    ]
    if rows:
        unit.session.execute(_ADD, rows)
    unit.session.execute(_FORGET, {"before": now - FLUSHES_KEPT})
    return True


def _bring_back(unit: Unit, late: set[datetime]) -> None:
    """Count minutes that are long over anew; of a day that is over for good, the day."""
    settled = (unit.now().astimezone(UTC) - SETTLES).date()
    for day in sorted({minute.date() for minute in late if minute.date() < settled}):
        sum_days(unit, day, day + timedelta(days=1))
    for minute in sorted(minute for minute in late if minute.date() >= settled):
        recount(unit, minute, minute + timedelta(minutes=1))


def recount(unit: Unit, since: datetime, until: datetime) -> None:
    """Make the sums of the minutes from `since` to before `until` what the rows say; call it when they are over."""
    span = {"since": since, "until": until}
    unit.session.execute(_CLEAR, span)
    unit.session.execute(_COUNT, {**span, "nobody": NOBODY, "checked": sorted(CHECKED)})


def sum_days(unit: Unit, since: date | None, until: date) -> None:
    """Make the days from `since` to before `until` (UTC) what the rows say, and let go of their minutes.

    Without `since` from the first call on; in any case from the oldest minute that is left. Done twice, or by two at
    once, it changes nothing more. Days that the plan no longer keeps are deleted.
    """
    hold(unit.session, Lock.USAGE, unit.tenant_id)
    until_at = start_of(until)
    oldest = unit.session.execute(_OLDEST, {"until": until_at, "all": since is None}).scalar_one()
    first = min((each for each in (since, oldest) if each is not None), default=until)
    span = {"first": first, "until": until}
    unit.session.execute(_CLEAR_DAYS, span)
    given = {"since": start_of(first), "until": until_at, "nobody": NOBODY, "checked": sorted(CHECKED)}
    unit.session.execute(_SUM_DAYS, given)
    unit.session.execute(_CLEAR, {"since": start_of(first), "until": until_at})
    unit.session.execute(_LET_GO, {"before": kept_since(unit)})


def kept_since(unit: Unit) -> date:
    """Return the first UTC day whose sums the tenant's plan keeps."""
    kept = timedelta(days=plan_of(entitlements(unit).plan).retention_days)
    return unit.now().astimezone(UTC).date() - kept


def first_unsummed(unit: Unit) -> date:
    """Return the first UTC day whose calls may not all be in the sums of days: from it on the rows tell."""
    settled = (unit.now().astimezone(UTC) - SETTLES).date()
    return unit.at_home(Home.CONTENT).session.execute(_UNSUMMED, {"settled": settled}).scalar_one()  # type: ignore[no-any-return]


def calls_this_month(unit: Unit) -> int:
    """Return the sum of this month's calls (UTC, the database's clock), at most a second behind. Needs usage:read."""
    require(unit, Permission.USAGE_READ)
    return int(unit.at_home(Home.CONTENT).session.execute(_MONTH, {"tenant": unit.tenant_id}).scalar_one())


_FLUSH = text(
    "INSERT INTO usage_flushes (id, at) VALUES (:id, :now) ON CONFLICT (tenant_id, id) DO NOTHING RETURNING id"
)
_FORGET = text("DELETE FROM usage_flushes WHERE at < :before")
_ADD = text(
    "INSERT INTO usage_minutes AS m (minute, key_id, workspace_id, person, endpoint, calls, texts) "
    "VALUES (:minute, :key, :workspace, :person, :endpoint, :number, :texts) "
    "ON CONFLICT (tenant_id, minute, key_id, workspace_id, person, endpoint) "
    "DO UPDATE SET calls = m.calls + EXCLUDED.calls, texts = m.texts + EXCLUDED.texts"
)
_CLEAR = text("DELETE FROM usage_minutes WHERE minute >= :since AND minute < :until")
_COUNT = text(
    "INSERT INTO usage_minutes (minute, key_id, workspace_id, person, endpoint, calls, texts) "
    "SELECT date_trunc('minute', at), coalesce(key_id, :nobody), coalesce(workspace_id, :nobody), "
    "CASE WHEN key_id IS NULL THEN key_name ELSE '' END, endpoint, count(*), "
    "count(*) FILTER (WHERE verdict = ANY (:checked)) FROM api_calls "
    "WHERE at >= :since AND at < :until GROUP BY 1, 2, 3, 4, 5 "
    "ON CONFLICT (tenant_id, minute, key_id, workspace_id, person, endpoint) "
    "DO UPDATE SET calls = EXCLUDED.calls, texts = EXCLUDED.texts"
)
_OLDEST = text(
    "SELECT (least((SELECT min(minute) FROM usage_minutes WHERE minute < :until), "
    "CASE WHEN :all THEN (SELECT min(at) FROM api_calls WHERE at < :until) END) AT TIME ZONE 'UTC')::date"
)
_UNSUMMED = text(
    "SELECT least((SELECT (min(minute) AT TIME ZONE 'UTC')::date FROM usage_minutes), CAST(:settled AS date))"
)
_CLEAR_DAYS = text("DELETE FROM usage_days WHERE day >= :first AND day < :until")
_SUM_DAYS = text(
    "INSERT INTO usage_days (day, key_id, workspace_id, person, endpoint, calls, texts) "
    "SELECT (at AT TIME ZONE 'UTC')::date, coalesce(key_id, :nobody), coalesce(workspace_id, :nobody), "
    "CASE WHEN key_id IS NULL THEN key_name ELSE '' END, endpoint, count(*), "
    "count(*) FILTER (WHERE verdict = ANY (:checked)) FROM api_calls "
    "WHERE at >= :since AND at < :until GROUP BY 1, 2, 3, 4, 5"
)
_LET_GO = text("DELETE FROM usage_days WHERE day < :before")
_MONTH = text(
    "SELECT (SELECT coalesce(sum(calls), 0) FROM usage_minutes WHERE tenant_id = :tenant "
    "AND minute >= date_trunc('month', clock_timestamp(), 'UTC')) "
    "+ (SELECT coalesce(sum(calls), 0) FROM usage_days WHERE tenant_id = :tenant "
    "AND day >= date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date)"
)
