"""Usage: what was used in a period, by day, key, workspace, endpoint or person, and the calls themselves."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import SimpleNamespace
from typing import TypeVar
from uuid import UUID

from flask import Response, render_template, request, url_for

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import api_keys, quota_summaries, usage, usage_series
from app.services.access import may
from app.services.plans import QUOTA_NAMES, Quota
from app.services.quotas import METERS, Meter
from app.services.spreadsheets import csv_of
from app.services.usage_counts import NOBODY
from app.services.usage_series import BY_KEYS, MEASURE_NAMES, SPLITS, Measure, Part, Period, Report, Split
from app.web.charts import Bar, Chart, Series
from app.web.listings import ROWS, id_given, listing
from app.web.quota_rows import rows_of
from app.web.routing import tenant_blueprint, tenant_page
from app.web.workspace_choices import offered

blueprint = tenant_blueprint("usages", __name__)
Chosen = TypeVar("Chosen", bound=StrEnum)
PERIODS: Mapping[Period, str] = {
    Period.THIS_MONTH: "This month",
    Period.LAST_MONTH: "Last month",
    Period.DAYS_90: "90 days",
}
# What a split is called in the filter of the rows behind its parts.
FILTERS = {
    Split.DAY: "day",
    Split.KEY: "key_id",
    Split.WORKSPACE: "workspace_id",
    Split.ENDPOINT: "path",
    Split.PERSON: "by",
}
BY_MONTH = {Quota.SCANS, Quota.TEXTS}  # they are measures themselves


def _asked(name: str, of: type[Chosen], otherwise: Chosen) -> Chosen:
    given = request.args.get(name, "")
    return of(given) if given in set(of) else otherwise


@tenant_page(blueprint, "/usage", Permission.USAGE_READ)
def show(unit: Unit) -> str:
    what, choices = request.args.get("what", ""), _choices(unit)
    if what in dict(choices) and what not in set(Measure):
        standing = _standing(unit, Quota(what))
        return render_template("usages/standing.html", what=what, choices=choices, line=standing)
    made = _report(unit)
    return render_template(
        "usages/show.html",
        what=str(made.measure),
        choices=choices,
        period=str(made.span.period),
        periods=[(str(period), name) for period, name in PERIODS.items()],
        split=str(made.split),
        splits=[(str(split), f"By {split}") for split in SPLITS[made.measure]],
        report=made,
        chart=_chart(made),
        parts=[_shown(made, part) for part in made.parts] if made.split is not Split.DAY else None,
        rows_url=_rows_url(made),
    )


def _report(unit: Unit) -> Report:
    """Return what the address asks for; what it does not say, or says wrongly, is as at first."""
    measure = _asked("what", Measure, Measure.CALLS)
    split = _asked("split", Split, Split.DAY)
    split = split if split in SPLITS[measure] else Split.DAY
    return usage_series.report(unit, measure, split, _asked("period", Period, Period.THIS_MONTH))


def _choices(unit: Unit) -> list[tuple[str, str]]:
    """Return what there is to choose: the measures, and the quotas that have no days to show."""
    measures = [(str(measure), name) for measure, name in MEASURE_NAMES.items()]
    if not may(unit, Permission.PLAN_READ):
        return measures
    without = {Meter.NONE: " (not measured)", Meter.ROWS: " (as it stands)", Meter.AT_ONCE: " (as it stands)"}
    others = [quota for quota in Quota if quota not in BY_MONTH]
    return measures + [(str(quota), QUOTA_NAMES[quota] + without[METERS[quota]]) for quota in others]


def _standing(unit: Unit, quota: Quota) -> SimpleNamespace:
    account = unit.at_home(Home.ACCOUNT)
    line = next(line for line in quota_summaries.summarise(account) if line.quota is quota)
    return SimpleNamespace(name=line.name, used=line.used, limit=line.limit, url=rows_of(unit, quota))


def _chart(made: Report) -> Chart:
    unit, name = str(made.measure), MEASURE_NAMES[made.measure]
    bars = tuple(Bar(day, (number,), _rows_url(made, day=day.isoformat())) for day, number in made.days)
    return Chart(unit, f"{name} per day (UTC)", unit, (Series(name),), bars)


def _shown(made: Report, part: Part) -> SimpleNamespace:
    """Return a part with the way to its rows and its share in per cent of the largest."""
    most = max(each.value for each in made.parts)
    url = _rows_url(made, **{FILTERS[made.split]: part.key})
    return SimpleNamespace(name=part.name, value=part.value, url=url, share=100 * part.value // most)


def _rows_url(made: Report, **only: str) -> str | None:
    """Return the address of the rows behind a number: all of the report's, or one part of them."""
    period = {} if "day" in only else {"period": str(made.span.period)}
    match made.measure:
        case Measure.FINDINGS:
            return url_for("findings.index", day=only["day"]) if "day" in only else None
        case Measure.SCANS:
            return url_for("plans.counted_scans", **{"period": str(made.span.period), **only})  # type: ignore[arg-type]
        case Measure.TEXTS:
            return url_for("usages.calls", quota="texts", **period, **only)  # type: ignore[arg-type]
        case Measure.CALLS:
            return url_for("usages.calls", **period, **only)  # type: ignore[arg-type]


@tenant_page(blueprint, "/usage/figures.csv", Permission.USAGE_READ)
def table(unit: Unit) -> Response:
    """Send what the page shows as a file."""
    made = _report(unit)
    head = ("day (UTC)", str(made.measure)) if made.split is Split.DAY else (str(made.split), "id", str(made.measure))
    rows: list[Sequence[object]] = [head]
    for part in made.parts:
        rows.append((part.key, part.value) if made.split is Split.DAY else (part.name, part.key, part.value))
    if made.rest:
        rows.append(("All others", "", made.rest))
    answer = Response(csv_of(rows), content_type="text/csv; charset=utf-8")
    name = f"{made.measure}-by-{made.split}-{made.span.since:%Y%m%d}-{made.span.last:%Y%m%d}-utc.csv"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@tenant_page(blueprint, "/usage/calls", Permission.USAGE_READ)
def calls(unit: Unit) -> str:
    args = request.args
    key_id, workspace_id = id_given("key_id"), id_given("workspace_id")
    only = usage.CallFilter(
        day=args.get("day") or None,
        period=_asked("period", Period, Period.THIS_MONTH) if args.get("period") else None,
        key_id=key_id,
        workspace_id=workspace_id,
        endpoint=args.get("path") or None,
        by=args.get("by") or None,
        texts=args.get("quota") == "texts",
    )
    page = usage.list_calls(unit, only, cursor=args.get("after"), size=ROWS, counted=True)
    shown = listing(page.rows, page, ("day", "period", "key_id", "workspace_id", "path", "by", "quota"))
    return render_template(
        "usages/calls.html",
        keys=_keys(unit, key_id),
        workspaces=_workspaces(unit, workspace_id),
        periods=[(str(period), name) for period, name in PERIODS.items()],
        kept=usage.calls_kept(unit, only),
        by_name="Any key" if only.by == BY_KEYS else only.by,
        **shown,
    )


def _workspaces(unit: Unit, chosen: UUID | None) -> list[tuple[str, str]]:
    if chosen == NOBODY:
        return [(str(NOBODY), "No workspace"), *offered(unit)]
    return offered(unit, chosen)


def _keys(unit: Unit, chosen: UUID | None) -> list[tuple[UUID, str]]:
    """Return what the filter offers: the newest keys and the one chosen."""
    if chosen == NOBODY:
        return [(NOBODY, "No key"), *_keys(unit, None)]
    if not may(unit, Permission.KEYS_READ):
        return [] if chosen is None else [(chosen, "One key")]
    account = unit.at_home(Home.ACCOUNT)
    keys = {key.id: key.name for key in api_keys.list_keys(account).rows}
    if chosen is not None and chosen not in keys:
        keys[chosen] = api_keys.get_key(account, chosen).name
    return list(keys.items())
