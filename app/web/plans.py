"""Plan and usage: what the tenant's plan allows, how much of it is used, other plans, and asking for one."""

from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import HiddenField, TextAreaField

from app.core.errors import Conflict, Invalid, NotFound
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.plans import PlanOverride, PlanRequest
from app.models.tenants import Tenant
from app.services import (
    excess,
    plan_overrides,
    plan_requests,
    plans,
    quota_summaries,
    scans,
    usage_counts,
    usage_series,
)
from app.services.access import may
from app.services.plan_requests import LONGEST_NOTE
from app.services.plans import FEATURE_NAMES, QUOTA_NAMES, RATE_NAMES, PlanName, Quota
from app.services.quota_summaries import Line, ScanFilter
from app.services.quotas import METERS, Meter
from app.services.usage_series import Measure, Period
from app.serving.forms import Form
from app.web.excess_rows import excess_shown
from app.web.listings import ROWS, id_given, listing
from app.web.presentation import closed
from app.web.quota_rows import rows_of
from app.web.routing import tenant_blueprint, tenant_page
from app.web.scans import scan_rows
from app.web.usages import PERIODS
from app.web.workspace_choices import offered

blueprint = tenant_blueprint("plans", __name__)
FIGURE_NAMES = {str(key): name for names in (QUOTA_NAMES, RATE_NAMES, FEATURE_NAMES) for key, name in names.items()}


class RequestForm(Form):
    """Which plan, and what staff should know."""

    plan = HiddenField("Plan")
    note = TextAreaField("A note for us")


@tenant_page(blueprint, "/plan", Permission.PLAN_READ, home=Home.ACCOUNT, closed=True)
def show(unit: Unit) -> str:
    allowed = plans.entitlements(unit)
    lines = [quota_row(unit, line) for line in quota_summaries.summarise(unit)]
    request_made = plan_requests.last_request(unit)
    return render_template(
        "plans/show.html",
        plan=_plan(allowed.plan),
        trial_ends_at=unit.session.get_one(Tenant, unit.tenant_id).trial_ends_at if allowed.status == "trial" else None,
        counted=[line for line in lines if line.used is not None],
        unmeasured=[line for line in lines if line.used is None],
        rates=[SimpleNamespace(name=RATE_NAMES[rate], limit=limit) for rate, limit in allowed.rates.items()],
        features=[SimpleNamespace(name=name, has=each in allowed.features) for each, name in FEATURE_NAMES.items()],
        overrides=[_override(row) for row in plan_overrides.list_overrides(unit)],
        request_made=_asked(request_made),
        beyond=[excess_shown(each) for each in excess.list_excess(unit)],
        at_risk=[line for line in lines if line.at_risk],
        calls=usage_counts.calls_this_month(unit) if may(unit, Permission.USAGE_READ) else None,
        by_workspace=_by_workspace(unit) if may(unit, Permission.USAGE_READ) and not closed() else [],
    )


def quota_row(unit: Unit, line: Line) -> SimpleNamespace:
    """Return a quota as tables show it: with the address of the rows behind it, where the viewer may open them."""
    return SimpleNamespace(
        name=line.name,
        used=line.used,
        limit=line.limit,
        percent=line.percent,
        at_risk=line.at_risk,
        resets_at=line.resets_at,
        agreed=line.agreed,
        url=rows_of(unit, line.quota),
    )


def _plan(name: PlanName) -> SimpleNamespace:
    plan = plans.plan_of(name)
    return SimpleNamespace(key=str(name), name=plan.name, price=plan.price)


def _override(row: PlanOverride) -> SimpleNamespace:
    value = "unlimited" if row.value is None else f"{row.value:,}"
    if row.kind == "feature":
        value = "included" if row.value else "left out"
    return SimpleNamespace(name=FIGURE_NAMES[row.name], value=value, reason=row.reason, until=row.until)


def _asked(made: PlanRequest | None) -> SimpleNamespace | None:
    if made is None:
        return None
    names = ("id", "status", "asked_label", "answer")
    return SimpleNamespace(plan=_plan(plans.plan_named(made.plan)), **{name: getattr(made, name) for name in names})


@tenant_page(blueprint, "/plan/comparison", Permission.PLAN_READ, home=Home.ACCOUNT, closed=True)
def compare(unit: Unit) -> str:
    """Show all plans side by side."""
    every = [(name, plans.plan_of(name)) for name in PlanName]
    measured = [quota for quota in Quota if METERS[quota] is not Meter.NONE]
    rows = [(QUOTA_NAMES[quota], [plan.quotas[quota] for _, plan in every]) for quota in measured]
    rows += [(RATE_NAMES[rate], [plan.rates[rate] for _, plan in every]) for rate in RATE_NAMES]
    features = [(text, [each in plan.features for _, plan in every]) for each, text in FEATURE_NAMES.items()]
    return render_template(
        "plans/compare.html",
        every=[_plan(name) for name, _ in every],
        present=str(plans.entitlements(unit).plan),
        rows=rows,
        features=features,
        pending=_asked(plan_requests.pending_request(unit)),
    )


@tenant_page(blueprint, "/plan/request", Permission.PLAN_WRITE, home=Home.ACCOUNT)
def ask(unit: Unit) -> str:
    """Show what another plan would change, before it is asked for."""
    return _ask(unit, RequestForm(plan=request.args.get("plan", "")))


@tenant_page(blueprint, "/plan/request", Permission.PLAN_WRITE, home=Home.ACCOUNT, methods=("POST",))
def create(unit: Unit) -> Response | tuple[str, int]:
    form = RequestForm()
    try:
        if not form.validate():
            return _ask(unit, form), 422
        made = plan_requests.request_plan(unit, form.plan.data or "", note=form.note.data or "")
    except (Invalid, Conflict) as error:
        form.blame(error)
        return _ask(unit, form), error.status
    flash(f"{_plan(plans.plan_named(made.plan)).name} was asked for. You get a mail when it is decided on.", "good")
    return redirect(url_for("plans.show"), 303)


def _ask(unit: Unit, form: RequestForm) -> str:
    try:
        name = plans.plan_named(form.plan.data or "")
    except ValueError:
        raise NotFound() from None
    return render_template(
        "plans/ask.html",
        form=form,
        plan=_plan(name),
        present=_plan(plans.entitlements(unit).plan),
        consequences=plan_requests.consequences(unit, name),
        pending=_asked(plan_requests.pending_request(unit)),
        longest=LONGEST_NOTE,
    )


@tenant_page(
    blueprint,
    "/plan/requests/<uuid:request_id>/withdrawal",
    Permission.PLAN_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
)
def withdraw(unit: Unit, request_id: UUID) -> Response:
    """Take the request back."""
    made = plan_requests.withdraw_request(unit, request_id)
    flash(f"{_plan(plans.plan_named(made.plan)).name} is no longer asked for.", "good")
    return redirect(url_for("plans.show"), 303)


@tenant_page(blueprint, "/plan/scans", Permission.USAGE_READ)
def counted_scans(unit: Unit) -> str:
    """Show the scans that a number is made of: this month's, or those of another period, workspace or person."""
    args = request.args
    given = args.get("period", "")
    only = ScanFilter(
        period=Period(given) if given in set(Period) else Period.THIS_MONTH,
        day=args.get("day") or None,
        workspace_id=id_given("workspace_id"),
        by=args.get("by") or None,
    )
    page = quota_summaries.list_counted_scans(unit, only, cursor=args.get("after"), size=ROWS)
    found = {row.id: row for row in scan_rows(unit, scans.scans_by_id(unit, [row.scan_id for row in page.rows]))}
    rows = [found[row.scan_id] for row in page.rows if row.scan_id in found]
    return render_template(
        "plans/scans.html",
        span=usage_series.span_of(unit, Measure.SCANS, only.period),
        periods=[(str(period), name) for period, name in PERIODS.items()],
        workspaces=offered(unit, only.workspace_id),
        **listing(rows, page, ("period", "day", "workspace_id", "by")),
    )


def _by_workspace(unit: Unit) -> list[SimpleNamespace]:
    """Return what each workspace used this month, each number with the way to its rows."""
    rows = []
    for workspace_id, name, used in usage_series.of_workspaces(unit):
        here = {"period": str(Period.THIS_MONTH), "workspace_id": str(workspace_id)}
        urls = {
            Measure.CALLS: url_for("usages.calls", **here),  # type: ignore[arg-type]
            Measure.TEXTS: url_for("usages.calls", quota="texts", **here),  # type: ignore[arg-type]
            Measure.SCANS: url_for("plans.counted_scans", **here),  # type: ignore[arg-type]
        }
        rows.append(SimpleNamespace(name=name, numbers=[(used.get(each, 0), url) for each, url in urls.items()]))
    return rows
