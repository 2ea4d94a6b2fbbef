"""What a tenant has used of its plan: each quota with its per cent, and the rows behind what is used."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.plans import QuotaReservation
from app.models.scans import Scan
from app.services import quotas, usage_series
from app.services.access import require
from app.services.findings import day_bounds
from app.services.pages import Page, newest_first
from app.services.plans import QUOTA_NAMES, Quota, entitlements
from app.services.quotas import METERS, SMALLEST_WARNED, Meter
from app.services.usage_series import Measure, Period

AT_RISK = 90


@dataclass(frozen=True, slots=True)
class Line:
    """One quota: `used` is None where nothing measures it, `limit` None where there is no bound.

    `percent` is None without either; `at_risk` is more than 90 per cent; `resets_at` is the end of the month in UTC for
    what is counted by the month.
    """

    quota: Quota
    name: str
    used: int | None
    limit: int | None
    resets_at: datetime | None
    agreed: bool

    @property
    def percent(self) -> int | None:
        if self.used is None or self.limit is None:
            return None
        return 100 if self.limit == 0 else self.used * 100 // self.limit

    @property
    def matters(self) -> bool:
        """Whether its share says anything: a quota of one seat is full from the first day on."""
        return (self.limit or 0) >= SMALLEST_WARNED

    @property
    def at_risk(self) -> bool:
        return self.percent is not None and self.used is not None and self.used * 100 > AT_RISK * (self.limit or 0)


def summarise(unit: Unit) -> list[Line]:
    """Return every quota of the tenant's plan with what is used of it. Needs tenant:plan:read."""
    require(unit, Permission.PLAN_READ)
    return lines_of(unit)


def lines_of(unit: Unit) -> list[Line]:
    """Return the same to whoever works for the platform."""
    allowed = entitlements(unit)
    lines = []
    for quota, limit in allowed.quotas.items():
        used, resets_at = _used(unit, quota)
        lines.append(Line(quota, QUOTA_NAMES[quota], used, limit, resets_at, str(quota) in allowed.overridden))
    return lines


def _used(unit: Unit, quota: Quota) -> tuple[int | None, datetime | None]:
    if METERS[quota] is not Meter.MONTH:
        return quotas.used_now(unit, quota), None
    used, period = quotas.used_of(unit, quota)
    return used, quotas.next_period(period)


@dataclass(frozen=True, slots=True)
class ScanFilter:
    """Which of the scans that count; `day` is a UTC date (YYYY-MM-DD), `by` who asked for it."""

    period: Period = Period.THIS_MONTH
    day: str | None = None
    workspace_id: UUID | None = None
    by: str | None = None


def list_counted_scans(
    unit: Unit, only: ScanFilter | None = None, *, cursor: str | None = None, size: int = 50
) -> Page[QuotaReservation]:
    """Return what a number of scans is made of: each that counts, newest first. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    only = only or ScanFilter()
    span = usage_series.span_of(unit, Measure.SCANS, only.period)
    statement = usage_series.counted_scans(select(QuotaReservation), span)
    if only.day is not None:
        since, until = day_bounds(only.day)
        statement = statement.where(QuotaReservation.at >= since, QuotaReservation.at < until)
    if only.workspace_id is not None:
        statement = statement.where(Scan.workspace_id == only.workspace_id)
    if only.by is not None:
        statement = statement.where(Scan.requested_by == only.by)
    return newest_first(
        unit.at_home(Home.CONTENT),
        statement,
        QuotaReservation.at,
        QuotaReservation.scan_id,
        binding=f"counted:{only}:{span.since}",
        cursor=cursor,
        size=size,
        counted=True,
    )
