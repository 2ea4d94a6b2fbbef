"""Usage for programs: what was used per UTC day, and of the plan."""

import datetime

from pydantic import Field

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Asked, Moment, Told
from app.core.permissions import Permission
from app.db.units import Unit
from app.services import quota_summaries, usage

blueprint = noun_blueprint("usage", __name__)


class UsageQuery(Asked):
    """How many days, up to today."""

    days: int = Field(30, ge=1, le=366)


class DayView(Told):
    """A UTC day and its number."""

    date: datetime.date
    value: int


class SeriesView(Told):
    """A number for each day, oldest first, days without rows included."""

    name: str
    total: int
    days: list[DayView]


class UsageView(Told):
    """Calls of this API, scans accepted and findings first seen."""

    series: list[SeriesView]


@resource(blueprint, "GET", "/usage", Permission.USAGE_READ, query=UsageQuery, answer=UsageView)
def show(unit: Unit, query: UsageQuery) -> UsageView:
    """Show calls, scans and new findings per UTC day."""
    return UsageView(series=[_told(series) for series in usage.daily(unit, days=query.days).values()])


def _told(series: usage.Series) -> SeriesView:
    days = [DayView(date=day, value=number) for day, number in series.days]
    return SeriesView(name=series.name, total=series.total, days=days)


class QuotaView(Told):
    """One quota of the plan; used is null where nothing measures it, limit where there is no bound."""

    quota: str
    name: str
    used: int | None
    limit: int | None
    percent: int | None
    at_risk: bool = Field(description="More than 90 per cent are used")
    resets_at: Moment | None


class SummaryView(Told):
    """What was used in the days asked for, and of the plan's quotas."""

    since: datetime.date
    until: datetime.date
    calls: int
    scans: int
    findings: int
    quotas: list[QuotaView]


@resource(
    blueprint,
    "GET",
    "/usage/summary",
    Permission.USAGE_READ,
    Permission.PLAN_READ,
    query=UsageQuery,
    answer=SummaryView,
    aliases=("/orgs/me/stats",),
)
def summary(unit: Unit, query: UsageQuery) -> SummaryView:
    """Sum calls, scans and new findings, and show each quota with what is used of it."""
    series = usage.daily(unit, days=query.days)
    days = series["calls"].days
    return SummaryView(
        since=days[0][0],
        until=days[-1][0],
        quotas=[QuotaView.model_validate(line) for line in quota_summaries.summarise(unit)],
        **{name: each.total for name, each in series.items()},
    )
