"""Usage in figures: what was used in a period by UTC day, key, workspace, endpoint or person, each with its rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Executable, Select, cast, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from app.core.clock import start_of
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.accounts import ApiKey
from app.models.plans import QuotaReservation, UsageDay, UsageMinute
from app.models.scans import Scan
from app.services import finding_counts, usage_counts, workspaces
from app.services.access import require
from app.services.plans import Quota
from app.services.usage_counts import NOBODY

MOST_PARTS = 50
BY_KEYS = "keys"  # in place of a person: calls that a key made
DAYS = 90


class Measure(StrEnum):
    """What is counted."""

    CALLS = "calls"
    TEXTS = "texts"
    SCANS = "scans"
    FINDINGS = "findings"


class Split(StrEnum):
    """What a number is divided by."""

    DAY = "day"
    KEY = "key"
    WORKSPACE = "workspace"
    ENDPOINT = "endpoint"
    PERSON = "person"


class Period(StrEnum):
    """Over which days, in UTC by the database's clock."""

    THIS_MONTH = "this_month"
    LAST_MONTH = "last_month"
    DAYS_90 = "90_days"


MEASURE_NAMES: Mapping[Measure, str] = {
    Measure.CALLS: "API calls",
    Measure.TEXTS: "Texts checked",
    Measure.SCANS: "Scans that count",
    Measure.FINDINGS: "New findings",
}
SPLITS: Mapping[Measure, tuple[Split, ...]] = {
    Measure.CALLS: tuple(Split),
    Measure.TEXTS: tuple(Split),
    Measure.SCANS: (Split.DAY, Split.WORKSPACE, Split.PERSON),
    Measure.FINDINGS: (Split.DAY,),
}


@dataclass(frozen=True, slots=True)
class Span:
    """The UTC days from `since` to before `until`; `month` is its first day where they are a month.

    `cut` says that the plan no longer keeps what was before `since`.
    """

    period: Period
    since: date
    until: date
    month: date | None
    cut: bool = False

    @property
    def last(self) -> date:
        return self.until - timedelta(days=1)

    @property
    def begins_at(self) -> datetime:
        return start_of(self.since)

    @property
    def ends_at(self) -> datetime:
        return start_of(self.until)


@dataclass(frozen=True, slots=True)
class Part:
    """A share of a number: `key` is an ISO date, an id (the nil id: none), an endpoint or who; `name` is read."""

    key: str
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Report:
    """One measure over one span: by day, and by what was asked for; `rest` is what the largest 50 parts leave over."""

    measure: Measure
    split: Split
    span: Span
    days: Sequence[tuple[date, int]]
    parts: Sequence[Part]
    rest: int

    @property
    def total(self) -> int:
        return sum(number for _day, number in self.days)


def span_of(unit: Unit, measure: Measure, period: Period) -> Span:
    """Return the days of `period` up to today; of calls and texts those that the plan keeps."""
    session = unit.at_home(Home.CONTENT).session
    today: date = session.execute(text("SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date")).scalar_one()
    until, month = today + timedelta(days=1), today.replace(day=1)
    match period:
        case Period.THIS_MONTH:
            span = Span(period, month, until, month)
        case Period.LAST_MONTH:
            before = (month - timedelta(days=1)).replace(day=1)
            span = Span(period, before, month, before)
        case Period.DAYS_90:
            span = Span(period, until - timedelta(days=DAYS), until, None)
    kept = usage_counts.kept_since(unit)
    if measure not in (Measure.CALLS, Measure.TEXTS) or kept <= span.since:
        return span
    return Span(period, min(kept, span.until), span.until, span.month, cut=True)


def report(unit: Unit, measure: Measure, split: Split, period: Period) -> Report:
    """Return what was used in `period`, by day and by `split`, largest first. Needs tenant:usage:read.

    `split` is one of SPLITS[measure]. Calls and texts are at most a second behind their rows.
    """
    require(unit, Permission.USAGE_READ)
    span = span_of(unit, measure, period)
    content = unit.at_home(Home.CONTENT)
    found = _sums(content, measure, Split.DAY, span)
    length = (span.until - span.since).days
    days = [(day, found[day]) for day in (span.since + timedelta(days=step) for step in range(length))]
    if split is Split.DAY:
        parts = [Part(day.isoformat(), f"{day:%-d %b %Y}", number) for day, number in reversed(days) if number]
        return Report(measure, split, span, days, parts, 0)
    sums = _sums(content, measure, split, span)
    largest = sorted(sums.items(), key=lambda pair: (-pair[1], str(pair[0])))
    names = _names(unit, split, [key for key, _ in largest[:MOST_PARTS]])
    parts = [Part(_key(split, key), names[key], number) for key, number in largest[:MOST_PARTS]]
    return Report(measure, split, span, days, parts, sum(number for _, number in largest[MOST_PARTS:]))


def of_workspaces(unit: Unit) -> list[tuple[UUID, str, dict[Measure, int]]]:
    """Return what each workspace used this month of what is counted by it, the busiest 50. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    content = unit.at_home(Home.CONTENT)
    used: dict[UUID, dict[Measure, int]] = {}
    for measure in (Measure.CALLS, Measure.TEXTS, Measure.SCANS):
        span = span_of(unit, measure, Period.THIS_MONTH)
        for workspace_id, number in _sums(content, measure, Split.WORKSPACE, span).items():
            used.setdefault(workspace_id, {})[measure] = number
    busiest = sorted(used.items(), key=lambda pair: (-sum(pair[1].values()), pair[0]))[:MOST_PARTS]
    names = _names(unit, Split.WORKSPACE, [workspace_id for workspace_id, _ in busiest])
    return [(workspace_id, names[workspace_id], numbers) for workspace_id, numbers in busiest]


def counted_scans(statement: Select[Any], span: Span) -> Select[Any]:
    """Return `statement` on the reservations that count in the span: the rows behind the number of scans.

    A month is the one that the quota took them from, by the database's clock.
    """
    joined = statement.join(
        Scan, (Scan.tenant_id == QuotaReservation.tenant_id) & (Scan.id == QuotaReservation.scan_id)
    )
    counts = joined.where(QuotaReservation.quota == str(Quota.SCANS), QuotaReservation.state != "released")
    if span.month is not None:
        return counts.where(QuotaReservation.period == span.month)
    return counts.where(QuotaReservation.at >= span.begins_at, QuotaReservation.at < span.ends_at)


def _day(column: InstrumentedAttribute[datetime]) -> ColumnElement[date]:
    return cast(func.timezone("UTC", column), Date)


def _sums(unit: Unit, measure: Measure, split: Split, span: Span) -> Counter[Any]:
    """Return the number of each day (a date), key, workspace (ids), endpoint or person (words) of the span."""
    match measure:
        case Measure.CALLS | Measure.TEXTS:
            return _called(unit, str(measure), split, span)
        case Measure.SCANS:
            by: Any = {Split.WORKSPACE: Scan.workspace_id, Split.PERSON: Scan.requested_by}.get(split)
            by = _day(QuotaReservation.at) if by is None else by
            start = select(by, func.count()).select_from(QuotaReservation)
            sums = _counted(unit, counted_scans(start, span).group_by(by))
            return _within(sums, span) if split is Split.DAY else sums
        case Measure.FINDINGS:
            return finding_counts.found_by_day(unit, span.since, span.until)


def _called(unit: Unit, number: str, split: Split, span: Span) -> Counter[Any]:
    """Sum the days that are over and the minutes of those that are not; a call is in one of both."""
    days = [UsageDay.day >= span.since, UsageDay.day < span.until]
    minutes = [UsageMinute.minute >= span.begins_at, UsageMinute.minute < span.ends_at]
    sums: Counter[Any] = Counter()
    for table, day, within in ((UsageDay, UsageDay.day, days), (UsageMinute, _day(UsageMinute.minute), minutes)):
        by: Any = day if split is Split.DAY else getattr(table, _COLUMNS[split])
        total = func.sum(getattr(table, number))
        sums.update(_counted(unit, select(by, total).where(*within).group_by(by)))
    return sums


_COLUMNS = {
    Split.KEY: "key_id",
    Split.WORKSPACE: "workspace_id",
    Split.ENDPOINT: "endpoint",
    Split.PERSON: "person",
}


def _counted(unit: Unit, statement: Executable) -> Counter[Any]:
    return Counter({key: int(number) for key, number in unit.session.execute(statement) if number})


def _within(sums: Counter[Any], span: Span) -> Counter[Any]:
    """Keep to the span's days what two clocks saw on either side of midnight."""
    kept: Counter[Any] = Counter()
    for day, number in sums.items():
        kept[min(max(day, span.since), span.until - timedelta(days=1))] += number
    return kept


def _names(unit: Unit, split: Split, keys: Sequence[Any]) -> dict[Any, str]:
    """Return what the parts are called."""
    if split is Split.KEY:
        rows = unit.at_home(Home.ACCOUNT).session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(keys)))
        known = {row.id: row.name for row in rows} | {NOBODY: "No key: access tokens"}
    elif split is Split.WORKSPACE:
        known = workspaces.names(unit) | {NOBODY: "No workspace: access tokens"}
    else:
        known = {"": "Nobody: API keys"}
    return {key: known.get(key, str(key)) for key in keys}


def _key(split: Split, key: Any) -> str:
    return BY_KEYS if split is Split.PERSON and key == "" else str(key)
