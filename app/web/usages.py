"""Usage: calls, scans and findings per day, and the calls themselves."""

from uuid import UUID

from flask import render_template, request, url_for

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import api_keys, usage
from app.services.access import may
from app.services.usage import Series as Daily
from app.web.charts import Bar, Chart, Series
from app.web.listings import ROWS, id_given, listing
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("usages", __name__)
PERIODS = (7, 14, 30)
# name of the series -> title, unit, the page of its rows
CHARTS = {
    "calls": ("API calls", "calls", "usages.calls"),
    "scans": ("Scans", "scans", "scans.index"),
    "findings": ("New findings", "findings", "findings.index"),
}


@tenant_page(blueprint, "/usage", Permission.USAGE_READ)
def show(unit: Unit) -> str:
    asked = request.args.get("days", "")
    days = int(asked) if asked in {str(period) for period in PERIODS} else 14
    charts = [(_chart(series), url_for(CHARTS[series.name][2])) for series in usage.daily(unit, days=days).values()]
    return render_template("usages/show.html", charts=charts, period=days)


def _chart(daily: Daily) -> Chart:
    title, unit, endpoint = CHARTS[daily.name]
    bars = tuple(Bar(day, (number,), url_for(endpoint, day=day.isoformat())) for day, number in daily.days)
    return Chart(daily.name, title, unit, (Series(title),), bars)


@tenant_page(blueprint, "/usage/calls", Permission.USAGE_READ)
def calls(unit: Unit) -> str:
    key_id = id_given("key_id")
    day = request.args.get("day") or None
    page = usage.list_calls(unit, day=day, key_id=key_id, cursor=request.args.get("after"), size=ROWS, counted=True)
    shown = listing(page.rows, page, ("day", "key_id"))
    return render_template("usages/calls.html", keys=_keys(unit, key_id), **shown)


def _keys(unit: Unit, chosen: UUID | None) -> list[tuple[UUID, str]]:
    """Return what the filter offers: the newest keys and the one chosen."""
    if not may(unit, Permission.KEYS_READ):
        return [] if chosen is None else [(chosen, "One key")]
    account = unit.at_home(Home.ACCOUNT)
    keys = {key.id: key.name for key in api_keys.list_keys(account).rows}
    if chosen is not None and chosen not in keys:
        keys[chosen] = api_keys.get_key(account, chosen).name
    return list(keys.items())
