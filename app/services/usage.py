"""Usage: API calls as they happened, and what was used per UTC day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.core.permissions import Permission
from app.db.units import Unit
from app.models.findings import Finding
from app.models.scans import Scan
from app.models.usage import ApiCall
from app.services.access import require
from app.services.findings import day_bounds
from app.services.pages import Page, newest_first
from app.services.usage_counts import CHECKED, NOBODY, kept_since
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
    """Return calls, scans and new findings per UTC day, the last `days` days up to today. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    columns: dict[str, InstrumentedAttribute[datetime]] = {
        "calls": ApiCall.at,
        "scans": Scan.created_at,
        "findings": Finding.first_seen_at,
    }
    return {name: _series(unit, name, column, days) for name, column in columns.items()}


def calls_of_key(unit: Unit, key_id: UUID, *, days: int = 30) -> Series:
    """Return one key's calls per UTC day, the last `days` days up to today. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    return _series(unit, "calls", ApiCall.at, days, ApiCall.key_id == key_id)


def of_workspace(unit: Unit, workspace_id: UUID, *, days: int = 30) -> dict[str, Series]:
    """Return one workspace's calls, scans and new findings per UTC day, as `daily`. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    return {
        "calls": _series(unit, "calls", ApiCall.at, days, ApiCall.workspace_id == workspace_id),
        "scans": _series(unit, "scans", Scan.created_at, days, Scan.workspace_id == workspace_id),
        "findings": _series(unit, "findings", Finding.first_seen_at, days, Finding.workspace_id == workspace_id),
    }


def _series(
    unit: Unit, name: str, column: InstrumentedAttribute[datetime], days: int, *only: ColumnElement[bool]
) -> Series:
    today = unit.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    day: ColumnElement[datetime] = func.date_trunc("day", column, "UTC")
    rows = unit.session.execute(select(day, func.count()).where(column >= since, *only).group_by(day))
    found = {moment.astimezone(UTC).date(): number for moment, number in rows}
    span = [first + timedelta(days=step) for step in range(days)]
    return Series(name, [(each, found.get(each, 0)) for each in span])


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
    kept = datetime.combine(kept_since(unit), time(), UTC)
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
