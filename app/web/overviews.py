"""The overview of a tenant: its next steps, its numbers, what is away."""

from types import SimpleNamespace

from flask import g, render_template, session, url_for

from app.core.errors import Unavailable
from app.core.permissions import Permission
from app.db.units import Unit
from app.services import digests, findings, scans
from app.services.access import may
from app.services.digests import Overview
from app.serving.probes import temporal_answers
from app.serving.runtimes import runtime
from app.web.routing import tenant_blueprint, tenant_page
from app.web.scans import scan_rows

blueprint = tenant_blueprint("overviews", __name__)


@tenant_page(blueprint, "/", Permission.OVERVIEW_READ)
def show(unit: Unit) -> str:
    session["slug"] = g.slug
    seen = digests.look_over(unit)
    steps = _steps(unit, seen)
    severities = list(findings.count_open(unit).items())
    recent = scan_rows(unit, scans.list_scans(unit, size=6).rows)
    return render_template(
        "overviews/show.html",
        steps=steps,
        all_done=all(step.done for step in steps),
        severities=severities,
        open_findings=sum(number for _, number in severities),
        scans=SimpleNamespace(running=seen.running, queued=seen.queued, week=seen.scans_week, recent=recent),
        calls=SimpleNamespace(today=seen.calls_today, week=seen.calls_week),
        assets=SimpleNamespace(proven=seen.proven, all=seen.assets),
        trial_days=max(0, (seen.trial_ends_at - unit.now()).days) if seen.trial_ends_at else None,
        missing=_missing(),
    )


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
            done=seen.scans_ever,
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
