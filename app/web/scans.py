"""Scans: started, followed, cancelled, listed."""

from collections.abc import Sequence
from types import SimpleNamespace
from uuid import UUID

from flask import Response as FlaskResponse
from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from app.core.errors import Conflict, Invalid, Unavailable
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.scans import Scan
from app.scanners.catalogue import TOOLS
from app.services import admissions, assets, digests, findings, scans
from app.services.plans import Rate
from app.serving.forms import Form
from app.serving.limits import limit_action
from app.serving.live import live
from app.web.listings import ROWS, id_given, listing
from app.web.routing import tenant_blueprint, tenant_page
from app.web.scan_steps import steps_of
from app.web.workspace_choices import offered

blueprint = tenant_blueprint("scans", __name__)
COLUMNS = (
    "id",
    "tool",
    "status",
    "asset_id",
    "created_at",
    "admitted_at",
    "started_at",
    "finished_at",
    "finding_count",
    "requested_by",
    "partial",
    "simulated",
    "failure",
    "notes",
)


class ScanForm(Form):
    """Which asset to look at, and how."""

    asset_id = SelectField("Asset")
    tool = SelectField(
        "Tool", choices=[SelectChoice(name, each.title) for name, each in TOOLS.items() if "web" in each.takes]
    )


def scan_rows(unit: Unit, rows: Sequence[Scan]) -> list[SimpleNamespace]:
    """Return scans as tables show them: with the names of their assets."""
    names = digests.asset_names(unit, {scan.asset_id for scan in rows})
    return [
        SimpleNamespace(**{name: getattr(scan, name) for name in COLUMNS}, asset_name=names[scan.asset_id])
        for scan in rows
    ]


@tenant_page(blueprint, "/scans", Permission.SCANS_READ)
def index(unit: Unit) -> str:
    args = request.args
    page = scans.list_scans(
        unit,
        status=args.get("status") or None,
        asset_id=id_given("asset_id"),
        workspace_id=id_given("workspace_id"),
        day=args.get("day") or None,
        since=args.get("since") or None,
        requested_by=args.get("by") or None,
        cursor=args.get("after"),
        size=ROWS,
        counted=True,
    )
    shown = listing(scan_rows(unit, page.rows), page, ("status", "asset_id", "workspace_id", "day", "since", "by"))
    return render_template("scans/index.html", **shown, workspaces=offered(unit, args.get("workspace_id")))


@tenant_page(blueprint, "/scans/new", Permission.SCANS_WRITE)
def new(unit: Unit) -> str:
    return _choose(unit, ScanForm(asset_id=request.args.get("asset_id")))


@tenant_page(blueprint, "/scans", Permission.SCANS_WRITE, methods=("POST",))
def create(unit: Unit) -> Response | tuple[str, int]:
    """Accept the scan and follow it."""
    limit_action(unit, Rate.SCAN_STARTS)
    form = ScanForm()
    try:
        scan = scans.start_scan(unit, id_given("asset_id", required=True), tool=form.tool.data or "")
    except (Invalid, Conflict, Unavailable) as error:
        form.blame(error)
        return _choose(unit, form), error.status
    return redirect(url_for("scans.show", scan_id=scan.id), 303)


def _choose(unit: Unit, form: ScanForm) -> str:
    known = assets.list_assets(unit, kind="web", size=200).rows
    state = digests.describe_assets(unit, known)
    proven = [a for a in known if state[a.id].proof == "proven"]
    form.asset_id.choices = [SelectChoice(str(a.id), f"{a.name} — {a.url}") for a in proven]
    return render_template("scans/new.html", form=form, unproven=len(known) - len(proven))


@tenant_page(blueprint, "/scans/<uuid:scan_id>", Permission.SCANS_READ)
def show(unit: Unit, scan_id: UUID) -> str:
    return render_template("scans/show.html", **_followed(unit, scan_id))


@tenant_page(blueprint, "/scans/<uuid:scan_id>/progress", Permission.SCANS_READ)
def progress(unit: Unit, scan_id: UUID) -> FlaskResponse:
    """Answer what moves on the scan's page."""
    return live("scans/_progress.html", **_followed(unit, scan_id))


@tenant_page(blueprint, "/scans/<uuid:scan_id>/cancellation", Permission.SCANS_WRITE, methods=("POST",))
def cancel(unit: Unit, scan_id: UUID) -> Response:
    scans.cancel_scan(unit, scan_id)
    return redirect(url_for("scans.show", scan_id=scan_id), 303)


@tenant_page(blueprint, "/scans/<uuid:scan_id>/retry", Permission.SCANS_WRITE, methods=("POST",))
def retry(unit: Unit, scan_id: UUID) -> Response:
    """Start a new scan of the same asset by the same tool."""
    limit_action(unit, Rate.SCAN_STARTS)
    return redirect(url_for("scans.show", scan_id=scans.retry_scan(unit, scan_id).id), 303)


def _followed(unit: Unit, scan_id: UUID) -> dict[str, object]:
    scan = scans.get_scan(unit, scan_id)
    moving = scan.status in ("queued", "running")
    seen = [] if moving else findings.findings_of_scan(unit, scan_id)
    wait = admissions.wait_of(unit, scan)
    steps = steps_of(scan, scans.scan_steps(unit, scan_id))
    return {
        "scan": scan_rows(unit, [scan])[0],
        "steps": steps,
        "moving": moving,
        "findings": seen,
        "waiting": wait and wait.reason,
    }
