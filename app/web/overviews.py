"""The overview of a tenant: what needs attention, its numbers, findings over time, scans, usage against plan."""

from datetime import date, timedelta
from types import SimpleNamespace
from uuid import UUID

from flask import Response, render_template, request, url_for

from app.core.errors import Unavailable
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.services import attentions, digests, finding_counts, quota_summaries, scans
from app.services.access import may
from app.services.digests import Overview
from app.services.finding_counts import SEVERITIES, Trend
from app.serving.live import live
from app.serving.probes import temporal_answers
from app.serving.runtimes import runtime
from app.web.attentions import attention_rows
from app.web.charts import Bar, Chart, Series
from app.web.listings import id_given
from app.web.plans import quota_row
from app.web.routing import tenant_blueprint, tenant_page
from app.web.scans import scan_rows
from app.web.workspace_choices import offered

blueprint = tenant_blueprint("overviews", __name__)
# days shown -> days in a bar
PERIODS = {30: 1, 90: 7}
LATEST = 6


@tenant_page(blueprint, "/", Permission.OVERVIEW_READ)
def show(unit: Unit) -> str:
    seen = digests.look_over(unit)
    steps = _steps(unit, seen)
    used = quota_summaries.summarise(unit.at_home(Home.ACCOUNT)) if may(unit, Permission.PLAN_READ) else []
    return render_template(
        "overviews/show.html",
        steps=steps,
        all_done=all(step.done for step in steps),
        attention=attention_rows(attentions.needs_attention(unit, used)) if attentions.acts(unit) else None,
        quotas=[quota_row(unit, line) for line in used if line.used is not None and line.limit is not None],
        seen=seen,
        trial_days=max(0, (seen.trial_ends_at - unit.now()).days) if seen.trial_ends_at else None,
        missing=_missing(),
        **_findings(unit),
        **_scans(unit, seen),
    )


@tenant_page(blueprint, "/overview/scans", Permission.SCANS_READ)
def progress(unit: Unit) -> Response:
    """Answer what moves on the overview: the latest scans, and how many run and wait."""
    seen = digests.look_over(unit)
    return live("overviews/_scans.html", seen=seen, **_scans(unit, seen))


def _scans(unit: Unit, seen: Overview) -> dict[str, object]:
    if not may(unit, Permission.SCANS_READ):
        return {"recent": None, "moving": False}
    recent = scan_rows(unit, scans.list_scans(unit, size=LATEST).rows)
    return {"recent": recent, "moving": bool(seen.running or seen.queued)}


def _findings(unit: Unit) -> dict[str, object]:
    """Return what is open by severity with its change in a week, and the chart of the period that is asked for."""
    if not may(unit, Permission.FINDINGS_READ):
        return {"trend": None, "chart": None, "severities": [], "period": 30, "workspace_id": None, "workspaces": []}
    asked = request.args.get("days", "")
    period = int(asked) if asked in {str(days) for days in PERIODS} else 30
    workspace_id = id_given("workspace_id")
    trend = finding_counts.open_by_day(unit, days=period + PERIODS[period], workspace_id=workspace_id)
    return {
        "trend": trend,
        "chart": _chart(trend, period, workspace_id),
        "severities": [(level, number, trend.changes[level]) for level, number in trend.now.items()],
        "period": period,
        "workspace_id": workspace_id,
        "workspaces": offered(unit, workspace_id),
    }


def _chart(trend: Trend, period: int, workspace_id: UUID | None) -> Chart | None:
    """Return the picture, each bar what was open at the end of its day or week; None where nothing ever was."""
    step = PERIODS[period]
    ends = trend.days[::-step][: -(-period // step)][::-1]
    if not any(sum(levels.values()) for _day, levels in ends):
        return None
    bars = tuple(
        Bar(day, tuple(levels[each] for each in SEVERITIES), _first_seen(day, step, workspace_id))
        for day, levels in ends
    )
    series = tuple(Series(each.capitalize(), each) for each in SEVERITIES)
    return Chart("open", "Open findings over time", "open findings", series, bars, stock=True)


def _first_seen(day: date, step: int, workspace_id: UUID | None) -> str:
    """Return the address of what was first seen within the days that end with this one."""
    if step == 1:
        return url_for("findings.index", day=day.isoformat(), workspace_id=workspace_id)
    since = day - timedelta(days=step - 1)
    return url_for("findings.index", since=since.isoformat(), until=day.isoformat(), workspace_id=workspace_id)


def _steps(unit: Unit, seen: Overview) -> list[SimpleNamespace]:
    keys, assets = may(unit, Permission.KEYS_WRITE), may(unit, Permission.ASSETS_WRITE)
    proving = "One that you control, shown by a DNS record or a file; or the demonstration target, which needs neither."
    return [
        SimpleNamespace(
            title="Issue an API key",
            text="With it a program of yours checks texts and starts scans.",
            done=seen.keys > 0,
            verb="Issue a key",
            url=url_for("keys.new") if keys else None,
        ),
        SimpleNamespace(
            title="Add an asset and prove it",
            text=proving,
            done=seen.proven > 0,
            verb="See your assets" if seen.assets else "Add an asset",
            url=url_for("assets.index" if seen.assets else "assets.new") if assets else None,
        ),
        SimpleNamespace(
            title="Start the first scan",
            text="It takes less than a minute; each finding says what it saw and how to mend it.",
            done=bool(seen.scans_ever),
            verb="Start a scan",
            url=url_for("scans.new") if may(unit, Permission.SCANS_WRITE) else None,
        ),
    ]


def _missing() -> list[str]:
    """Say which part is away, and what goes on without it."""
    parts = []
    if not temporal_answers(runtime().settings.temporal_address):
        parts.append("Scans are accepted and wait: what runs them does not answer at present.")
    graph = runtime().graph
    try:
        if graph is not None:
            graph.ping()
    except Unavailable:
        parts.append("The graph does not answer at present: findings are recorded, and drawn when it is back.")
    return parts
