"""Findings: listed, read, triaged."""

from collections.abc import Sequence
from types import SimpleNamespace
from uuid import UUID

from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.core.permissions import Permission
from app.db.units import Unit
from app.models.findings import Finding
from app.services import assets, digests, findings
from app.serving.words import words
from app.web.listings import ROWS, id_given, listing
from app.web.routing import tenant_blueprint, tenant_page
from app.web.workspace_choices import offered

blueprint = tenant_blueprint("findings", __name__)
COLUMNS = (
    "id",
    "title",
    "severity",
    "status",
    "rule",
    "cwe",
    "location",
    "evidence",
    "remedy",
    "fingerprint",
    "asset_id",
    "first_seen_at",
    "last_seen_at",
    "first_scan_id",
    "last_scan_id",
    "simulated",
)
FILTERS = ("severity", "status", "asset_id", "workspace_id", "day", "since", "until", "q")
LONGEST_SEARCH = 100
# status -> what may follow, with the verb of its button
ACTS = {
    "open": (("accepted", "Accept the risk"), ("false_positive", "False positive"), ("resolved", "Mark as resolved")),
    "accepted": (("open", "Open again"),),
    "false_positive": (("open", "Open again"),),
    "resolved": (("open", "Open again"),),
}


def finding_rows(unit: Unit, rows: Sequence[Finding]) -> list[SimpleNamespace]:
    """Return findings as tables show them: with the names of their assets."""
    names = digests.asset_names(unit, {finding.asset_id for finding in rows})
    return [
        SimpleNamespace(**{name: getattr(finding, name) for name in COLUMNS}, asset_name=names[finding.asset_id])
        for finding in rows
    ]


@tenant_page(blueprint, "/findings", Permission.FINDINGS_READ)
def index(unit: Unit) -> str:
    args = request.args
    page = findings.list_findings(
        unit,
        status=args.get("status") or None,
        severity=args.get("severity") or None,
        asset_id=id_given("asset_id"),
        workspace_id=id_given("workspace_id"),
        day=args.get("day") or None,
        since=args.get("since") or None,
        until=args.get("until") or None,
        search=(args.get("q") or "").strip()[:LONGEST_SEARCH] or None,
        cursor=args.get("after"),
        size=ROWS,
        counted=True,
    )
    shown = listing(finding_rows(unit, page.rows), page, FILTERS)
    named = [(str(asset.id), asset.name) for asset in assets.list_assets(unit, size=200).rows]
    statuses = [(status, words(status)) for status in findings.STATUSES]
    known = offered(unit, args.get("workspace_id"))
    return render_template("findings/index.html", **shown, assets=named, statuses=statuses, workspaces=known)


@tenant_page(blueprint, "/findings/<uuid:finding_id>", Permission.FINDINGS_READ)
def show(unit: Unit, finding_id: UUID) -> str:
    finding = finding_rows(unit, [findings.get_finding(unit, finding_id)])[0]
    seen = [SimpleNamespace(scan_id=scan.id, at=at) for scan, at in findings.sightings(unit, finding_id)]
    return render_template("findings/show.html", finding=finding, sightings=seen, acts=ACTS[finding.status])


@tenant_page(blueprint, "/findings/<uuid:finding_id>/status", Permission.FINDINGS_WRITE, methods=("POST",))
def triage(unit: Unit, finding_id: UUID) -> Response:
    """Give the finding another status; the way back is a button of the same page."""
    status = request.form.get("status", "")
    findings.triage(unit, finding_id, status=status)
    flash(f"The finding is now {words(status).lower()}.", "good")
    return redirect(url_for("findings.show", finding_id=finding_id), 303)
