"""Usage for programs: what was used per UTC day."""

import datetime

from pydantic import Field

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Asked, Told
from app.core.permissions import Permission
from app.db.units import Unit
from app.services import usage

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
