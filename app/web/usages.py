"""Usage: calls, scans and findings per day, and the calls themselves."""

from types import SimpleNamespace
from uuid import UUID

from flask import Response, render_template, request, url_for

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import api_keys, usage
from app.services.access import may
from app.services.spreadsheets import csv_of
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
    return render_template("usages/show.html", charts=charts, period=days, shares=_shares(unit, days))


def _shares(unit: Unit, days: int) -> list[SimpleNamespace]:
    """Return who and what the numbers of the period belong to, each with the way to its rows."""
    keys = [
        (share.name, share.number, url_for("usages.calls", key_id=share.id) if share.id else None)
        for share in usage.calls_by_key(unit, days=days)
    ]
    endpoints = [
        (share.name, share.number, url_for("usages.calls", path=share.name))
        for share in usage.calls_by_endpoint(unit, days=days)
    ]
    people = [
        (share.name, share.number, url_for("scans.index", by=share.name))
        for share in usage.scans_by_person(unit, days=days)
    ]
    return [
        SimpleNamespace(title="Calls by key", noun="Key", unit="calls", rows=keys),
        SimpleNamespace(title="Calls by endpoint", noun="Endpoint", unit="calls", rows=endpoints),
        SimpleNamespace(title="Scans by person or key", noun="Asked by", unit="scans", rows=people),
    ]


@tenant_page(blueprint, "/usage/calls.csv", Permission.USAGE_READ)
def table(unit: Unit) -> Response:
    """Send the calls by day, key and endpoint as a file."""
    asked = request.args.get("days", "")
    days = int(asked) if asked in {str(period) for period in PERIODS} else 30
    rows = [("day", "key", "endpoint", "calls"), *usage.calls_table(unit, days=days)]
    answer = Response(csv_of(rows), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="calls-{unit.now():%Y%m%d}.csv"'
    return answer


def _chart(daily: Daily) -> Chart:
    title, unit, endpoint = CHARTS[daily.name]
    bars = tuple(Bar(day, (number,), url_for(endpoint, day=day.isoformat())) for day, number in daily.days)
    return Chart(daily.name, title, unit, (Series(title),), bars)


@tenant_page(blueprint, "/usage/calls", Permission.USAGE_READ)
def calls(unit: Unit) -> str:
    key_id, args = id_given("key_id"), request.args
    page = usage.list_calls(
        unit,
        day=args.get("day") or None,
        key_id=key_id,
        endpoint=args.get("path") or None,
        month={"calls": "calls", "texts": "texts"}.get(args.get("quota", "")),  # type: ignore[arg-type]
        cursor=args.get("after"),
        size=ROWS,
        counted=True,
    )
    shown = listing(page.rows, page, ("day", "key_id", "path", "quota"))
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
