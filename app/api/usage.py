"""Usage for programs: what was used per UTC day, and of the plan."""

import datetime
from typing import Literal

from pydantic import Field

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Asked, Moment, Told
from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Unit
from app.services import quota_summaries, usage, usage_series
from app.services.usage_series import SPLITS, Measure, Period, Split

blueprint = noun_blueprint("usage", __name__)
What = Literal["calls", "texts", "scans", "findings"]
Days = Literal["this_month", "last_month", "90_days"]
By = Literal["day", "key", "workspace", "endpoint", "person"]


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


class FiguresQuery(Asked):
    """What, over which days, divided by what; a split that does not go with the measure is refused."""

    what: What = "calls"
    period: Days = "this_month"
    split: By = "day"


class PartView(Told):
    """A part of the total: `key` is a day, an id (the nil id: no key, no workspace), an endpoint or who."""

    key: str
    name: str
    value: int


class FiguresView(Told):
    """What the page Usage shows; days and months are UTC, days without any are left out."""

    what: What
    period: Days
    split: By
    since: datetime.date
    until: datetime.date = Field(description="The last day")
    total: int
    parts: list[PartView] = Field(description="By day the newest first, else the largest 50 first")
    rest: int = Field(description="What the parts leave over")


@resource(blueprint, "GET", "/usage/figures", Permission.USAGE_READ, query=FiguresQuery, answer=FiguresView)
def figures(unit: Unit, query: FiguresQuery) -> FiguresView:
    """Show calls, texts, scans or findings by day, key, workspace, endpoint or person."""
    what, split = Measure(query.what), Split(query.split)
    if split not in SPLITS[what]:
        raise Invalid(fields={"split": f"{what} are divided by {', '.join(SPLITS[what])}"})
    made = usage_series.report(unit, what, split, Period(query.period))
    return FiguresView(
        what=query.what,
        period=query.period,
        split=query.split,
        since=made.span.since,
        until=made.span.last,
        total=made.total,
        parts=[PartView.model_validate(part) for part in made.parts],
        rest=made.rest,
    )
