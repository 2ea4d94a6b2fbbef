"""Scans for programs: start, follow, cancel, and what each found."""

from typing import Literal
from uuid import UUID

from flask import url_for
from pydantic import Field

from app.api.findings import FindingPage, FindingView
from app.api.routing import Answer, noun_blueprint, resource
from app.api.shapes import Asked, Day, Listing, Moment, Paging, Told
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.scans import Scan
from app.services import admissions, findings, scans
from app.services.plans import Rate
from app.serving.limits import limit_action

blueprint = noun_blueprint("scans", __name__)
Status = Literal["queued", "running", "done", "failed", "cancelled"]
Tool = Literal["posture", "text"]


class ScanRequest(Asked):
    """A scan of one asset with one tool: posture for a web address, text for a document."""

    asset_id: UUID
    tool: Tool


class ScanQuery(Paging):
    """Which scans, newest first."""

    status: Status | None = None
    asset_id: UUID | None = None
    workspace_id: UUID | None = None
    day: Day | None = None


class ScanView(Told):
    """A scan; finding_count is set when it is done, failure says why it failed or why staff cancelled it."""

    id: UUID
    workspace_id: UUID
    asset_id: UUID
    engagement_id: UUID
    tool: str
    status: Status
    requested_by: str
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    failure: str | None
    partial: bool = Field(description="Not all of the asset was examined")
    finding_count: int
    simulated: bool = Field(description="A row of demonstration data that never ran")


class StepView(Told):
    """A step that the scan has reached."""

    name: str
    at: Moment


class WaitView(Told):
    """Why an accepted scan has not begun."""

    before: int = Field(description="How many of the tenant's scans are in line before it, at most 10,001")
    at_once: int | None = Field(description="How many scans the plan runs at a time; null: any number")
    reason: str


class ScanDetail(ScanView):
    """A scan with its steps; while it waits for its turn, why."""

    notes: list[str]
    steps: list[StepView]
    waiting: WaitView | None


class ScanPage(Listing[ScanView]):
    """A page of scans."""


@resource(blueprint, "POST", "/scans", Permission.SCANS_WRITE, body=ScanRequest, answer=ScanView, status=202)
def start(unit: Unit, body: ScanRequest) -> Answer:
    """Start a scan: it is accepted as queued, and Location says where to follow it."""
    limit_action(unit, Rate.SCAN_STARTS)
    return _accepted(scans.start_scan(unit, body.asset_id, tool=body.tool))


@resource(blueprint, "GET", "/scans", Permission.SCANS_READ, query=ScanQuery, answer=ScanPage)
def index(unit: Unit, query: ScanQuery) -> ScanPage:
    """List scans, newest first."""
    page = scans.list_scans(
        unit,
        status=query.status,
        asset_id=query.asset_id,
        workspace_id=query.workspace_id,
        day=query.day,
        cursor=query.cursor,
        size=query.limit,
    )
    return ScanPage(items=[ScanView.model_validate(scan) for scan in page.rows], next_cursor=page.next_cursor)


@resource(blueprint, "GET", "/scans/<scan_id>", Permission.SCANS_READ, answer=ScanDetail, tagged=True)
def show(unit: Unit, scan_id: UUID) -> ScanDetail:
    """Show a scan with the steps that it has reached."""
    scan = scans.get_scan(unit, scan_id)
    steps = [StepView.model_validate(step) for step in scans.scan_steps(unit, scan_id)]
    notes = [str(note) for note in scan.notes]
    wait = admissions.wait_of(unit, scan)
    waiting = None if wait is None else WaitView.model_validate(wait)
    return ScanDetail(**ScanView.model_validate(scan).model_dump(), notes=notes, steps=steps, waiting=waiting)


@resource(
    blueprint,
    "POST",
    "/scans/<scan_id>/cancellation",
    Permission.SCANS_WRITE,
    Permission.SCANS_READ,
    answer=ScanView,
    status=202,
)
def cancel(unit: Unit, scan_id: UUID) -> Answer:
    """Cancel a scan wherever it stands; one that is over stays as it is."""
    return _accepted(scans.cancel_scan(unit, scan_id))


@resource(
    blueprint,
    "GET",
    "/scans/<scan_id>/findings",
    Permission.FINDINGS_READ,
    Permission.SCANS_READ,
    answer=FindingPage,
)
def list_found(unit: Unit, scan_id: UUID) -> FindingPage:
    """List what a scan saw, worst first, all on one page."""
    scans.get_scan(unit, scan_id)
    return FindingPage(items=[FindingView.model_validate(row) for row in findings.findings_of_scan(unit, scan_id)])


def _accepted(scan: Scan) -> Answer:
    return Answer(ScanView.model_validate(scan), {"Location": url_for("api_scans.show", scan_id=scan.id)})
