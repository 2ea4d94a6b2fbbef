"""Usage: API calls as they happened, and what was used per UTC day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, cast, func, select

from app.core.clock import start_of
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.plans import UsageDay
from app.models.scans import Scan
from app.models.usage import ApiCall
from app.services.access import require
from app.services.finding_counts import found_by_day
from app.services.findings import day_bounds
from app.services.pages import Page, newest_first
from app.services.usage_counts import CHECKED, NOBODY, first_unsummed, kept_since
from app.services.usage_series import BY_KEYS, Measure, Period, span_of


@dataclass(frozen=True, slots=True)
class Series:
    """A number for each day of a span, days without rows included; `total` is the number of rows behind it."""

    name: str
    days: Sequence[tuple[date, int]]

    @property
    def total(self) -> int:
        return sum(number for _day, number in self.days)


def daily(unit: Unit, *, days: int = 30) -> dict[str, Series]:
    """Return calls, scans and new findings per UTC day, the last `days` days up to today. Needs tenant:usage:read.

    Calls are those that the plan keeps.
    """
    require(unit, Permission.USAGE_READ)
    return {
        "calls": _calls(unit, days),
        "scans": _scans(unit, days),
        "findings": _found(unit, days),
    }


def calls_of_key(unit: Unit, key_id: UUID, *, days: int = 30) -> Series:
    """Return one key's calls per UTC day, the last `days` days up to today. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    return _calls(unit, days, key_id=key_id)


def of_workspace(unit: Unit, workspace_id: UUID, *, days: int = 30) -> dict[str, Series]:
    """Return one workspace's calls, scans and new findings per UTC day, as `daily`. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    return {
        "calls": _calls(unit, days, workspace_id=workspace_id),
        "scans": _scans(unit, days, Scan.workspace_id == workspace_id),
        "findings": _found(unit, days, workspace_id=workspace_id),
    }


def _calls(unit: Unit, days: int, *, key_id: UUID | None = None, workspace_id: UUID | None = None) -> Series:
    """Add up the sums of days that have them and the rows of the days since, which are few."""
    first = max(_days(unit, days)[0], kept_since(unit))
    begins = max(first, first_unsummed(unit))
    sums = select(UsageDay.day, func.sum(UsageDay.calls)).where(UsageDay.day >= first, UsageDay.day < begins)
    day = cast(func.timezone("UTC", ApiCall.at), Date)
    rows = select(day, func.count()).where(ApiCall.at >= start_of(begins))
    if key_id is not None:
        sums, rows = sums.where(UsageDay.key_id == key_id), rows.where(ApiCall.key_id == key_id)
    if workspace_id is not None:
        sums, rows = sums.where(UsageDay.workspace_id == workspace_id), rows.where(ApiCall.workspace_id == workspace_id)
    found = _by_day(unit, sums.group_by(UsageDay.day)) | _by_day(unit, rows.group_by(day))
    return _filled(unit, "calls", days, found)


def _found(unit: Unit, days: int, *, workspace_id: UUID | None = None) -> Series:
    span = _days(unit, days)
    until = span[-1] + timedelta(days=1)
    return _filled(unit, "findings", days, found_by_day(unit, span[0], until, workspace_id=workspace_id))


def _scans(unit: Unit, days: int, *only: ColumnElement[bool]) -> Series:
    day = cast(func.timezone("UTC", Scan.created_at), Date)
    since = start_of(_days(unit, days)[0])
    rows = select(day, func.count()).where(Scan.created_at >= since, *only).group_by(day)
    return _filled(unit, "scans", days, _by_day(unit, rows))


def _by_day(unit: Unit, statement: Select[date, int]) -> dict[date, int]:
    return {row[0]: int(row[1]) for row in unit.session.execute(statement)}


def _filled(unit: Unit, name: str, days: int, found: Mapping[date, int]) -> Series:
    return Series(name, [(each, found.get(each, 0)) for each in _days(unit, days)])


def _days(unit: Unit, days: int) -> list[date]:
    today = unit.now().astimezone(UTC).date()
    return [today - timedelta(days=step) for step in range(days - 1, -1, -1)]


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: the nil id is those without a key or a workspace; `by` is a person, or "keys" for any key.

    `day` is a UTC date (YYYY-MM-DD); `texts` are the calls that used up a text.
    """

    day: str | None = None
    period: Period | None = None
    key_id: UUID | None = None
    workspace_id: UUID | None = None
    endpoint: str | None = None
    by: str | None = None
    texts: bool = False


def list_calls(
    unit: Unit,
    only: CallFilter | None = None,
    *,
    cursor: str | None = None,
    size: int = 50,
    counted: bool = False,
) -> Page[ApiCall]:
    """Return API calls that the plan keeps, newest first. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    only = only or CallFilter()
    kept = start_of(kept_since(unit))
    statement = select(ApiCall).where(ApiCall.at >= kept, *_conditions(unit, only))
    return newest_first(
        unit, statement, ApiCall.at, ApiCall.id, binding=f"calls:{only}", cursor=cursor, size=size, counted=counted
    )


@dataclass(frozen=True, slots=True)
class CallsKept:
    """For how many days the plan keeps calls, since which UTC day; `cut` says that more was asked for."""

    days: int
    since: date
    cut: bool


def calls_kept(unit: Unit, only: CallFilter) -> CallsKept:
    """Return which calls the plan keeps of those asked for. Asks for no permission. Raises MalformedRequest."""
    since = kept_since(unit)
    early = only.day is not None and day_bounds(only.day)[0].date() < since
    cut = only.period is not None and span_of(unit, Measure.CALLS, only.period).cut
    return CallsKept((unit.now().astimezone(UTC).date() - since).days, since, early or cut)


def _conditions(unit: Unit, only: CallFilter) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if only.endpoint is not None:
        wanted.append(ApiCall.endpoint == only.endpoint)
    if only.by is not None:
        by_key = ApiCall.key_id.is_not(None)
        wanted += [by_key] if only.by == BY_KEYS else [~by_key, ApiCall.key_name == only.by]
    if only.key_id is not None:
        wanted.append(ApiCall.key_id.is_(None) if only.key_id == NOBODY else ApiCall.key_id == only.key_id)
    if only.workspace_id is not None:
        whose = ApiCall.workspace_id
        wanted.append(whose.is_(None) if only.workspace_id == NOBODY else whose == only.workspace_id)
    if only.texts:
        wanted.append(ApiCall.verdict.in_(CHECKED))
    if only.period is not None:
        span = span_of(unit, Measure.CALLS, only.period)
        wanted += [ApiCall.at >= span.begins_at, ApiCall.at < span.ends_at]
    if only.day is not None:
        since, until = day_bounds(only.day)
        wanted += [ApiCall.at >= since, ApiCall.at < until]
    return wanted
