"""The audit log: read, filtered, taken out."""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace

from flask import Response, current_app, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.tables import AuditColumns
from app.services import audit, audit_exports, audit_retention, audit_seals, checkpoints
from app.services.audit import EventFilter
from app.services.differences import differences
from app.services.findings import day_bounds
from app.serving.runtimes import runtime
from app.serving.words import words
from app.web.listings import listing
from app.web.routing import tenant_blueprint, tenant_page

blueprint = tenant_blueprint("audits", __name__)
FILTERS = ("action", "actor", "kind", "from", "until")
COLUMNS = ("id", "at", "action", "actor_kind", "actor_label", "target_kind", "target_id", "address", "request_id")
# kind of target -> the page that shows it, and the name of its id there
TARGETS = {
    "api_key": ("keys.show", "key_id"),
    "asset": ("assets.show", "asset_id"),
    "finding": ("findings.show", "finding_id"),
    "scan": ("scans.show", "scan_id"),
    "service_account": ("service_accounts.show", "account_id"),
    "workspace": ("workspaces.show", "workspace_id"),
}
NDJSON = "application/x-ndjson"
TYPES = {"csv": "text/csv; charset=utf-8", "ndjson": NDJSON, "sealed": NDJSON}


def event_filter(given: Mapping[str, str]) -> EventFilter:
    """Return what the query or the form asks for. Raises MalformedRequest for a day that is none."""
    since, until = given.get("from"), given.get("until")
    return EventFilter(
        given.get("action") or None,
        given.get("actor") or None,
        given.get("kind") or None,
        day_bounds(since)[0] if since else None,
        day_bounds(until)[1] if until else None,
    )


@tenant_page(blueprint, "/audit", Permission.AUDIT_READ)
def index(unit: Unit) -> str:
    page = audit.list_events(unit, event_filter(request.args), cursor=request.args.get("after"), size=22)
    shown = listing([_shown(row) for row in page.rows], page, FILTERS)
    account = unit.at_home(Home.ACCOUNT)
    return render_template(
        "audits/index.html",
        **shown,
        choices=_choices(audit.list_choices(unit)),
        sealed=audit_seals.sealed_logs(unit),
        retention=audit_retention.retention(unit),
        checkpoints=checkpoints.is_asked(account) if checkpoints.may_ask(account) else None,
    )


def _choices(found: audit.Choices) -> SimpleNamespace:
    """Return the values and their labels for each filter, the chosen one always among them."""
    given = request.args

    def pairs(values: Sequence[str], name: str, label: Callable[[str], str] = str) -> list[tuple[str, str]]:
        return [(value, label(value)) for value in sorted({*values, given.get(name) or ""} - {""})]

    kinds = pairs(found.target_kinds, "kind", words)
    return SimpleNamespace(actions=pairs(found.actions, "action"), actors=pairs(found.actors, "actor"), kinds=kinds)


def _shown(row: AuditColumns) -> SimpleNamespace:
    return SimpleNamespace(
        **{name: getattr(row, name) for name in COLUMNS},
        url=_target_url(row),
        differences=differences(row.before, row.after),
    )


def _target_url(row: AuditColumns) -> str | None:
    endpoint, name = TARGETS.get(row.target_kind, (None, ""))
    if endpoint is None or row.target_id is None or endpoint not in current_app.view_functions:
        return None
    return url_for(endpoint, **{name: row.target_id})  # type: ignore[arg-type]


@tenant_page(blueprint, "/audit/export", Permission.AUDIT_READ, home=Home.ACCOUNT, methods=("POST",))
def export(unit: Unit) -> Response:
    """Send what the filters choose as a file; that it was taken is itself an event."""
    form = request.form.get("format", "")
    begun = audit_exports.begin_export(unit, form, event_filter(request.form))
    sealed = begun.form == "sealed"
    name = f"audit-{unit.now():%Y%m%d-%H%M%S}.{'sealed.ndjson' if sealed else begun.form}"
    stream = audit_seals.stream_sealed if sealed else audit_exports.stream
    answer = Response(stream(runtime().units, begun), content_type=TYPES[begun.form])
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@tenant_page(
    blueprint,
    "/audit/checkpoints",
    Permission.OWNERSHIP_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def ask_checkpoints(unit: Unit) -> WerkzeugResponse:
    """Have the heads mailed to oneself each day."""
    checkpoints.ask(unit)
    flash("The heads of both logs come by mail, once a day while there is something new.", "good")
    return redirect(url_for("audits.index", _anchor="checkpoints"), 303)


@tenant_page(
    blueprint,
    "/audit/checkpoints/end",
    Permission.OWNERSHIP_WRITE,
    home=Home.ACCOUNT,
    methods=("POST",),
    confirmed=True,
)
def end_checkpoints(unit: Unit) -> WerkzeugResponse:
    """Have no more heads mailed to oneself."""
    checkpoints.end(unit)
    flash("No more checkpoints come by mail.", "good")
    return redirect(url_for("audits.index", _anchor="checkpoints"), 303)
