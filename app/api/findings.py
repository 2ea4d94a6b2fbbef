"""Findings for programs: list, show, triage."""

import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Asked, Day, Listing, Moment, Paging, Told
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.findings import Finding
from app.services import finding_counts, findings

blueprint = noun_blueprint("findings", __name__)
Severity = Literal["critical", "high", "medium", "low", "info"]
Status = Literal["open", "resolved", "accepted", "false_positive"]


class FindingQuery(Paging):
    """Which findings, newest first; day is that of the first sighting."""

    status: Status | None = None
    severity: Severity | None = None
    asset_id: UUID | None = None
    workspace_id: UUID | None = None
    day: Day | None = None
    q: str | None = Field(None, max_length=100, description="Words of the title or the rule")


class FindingChange(Asked):
    """The status that a finding is given."""

    status: Status = Field(examples=["accepted"])


class FindingView(Told):
    """A fault of an asset; secrets and personal data in evidence are masked."""

    id: UUID
    workspace_id: UUID
    asset_id: UUID
    rule: str
    title: str
    severity: Severity
    status: Status
    cwe: int | None = Field(description="The number of its CWE")
    location: str
    evidence: str
    remedy: str
    first_seen_at: Moment
    last_seen_at: Moment
    first_scan_id: UUID
    last_scan_id: UUID
    simulated: bool = Field(description="A row of demonstration data that no scan found")


class FindingPage(Listing[FindingView]):
    """A page of findings."""


@resource(blueprint, "GET", "/findings", Permission.FINDINGS_READ, query=FindingQuery, answer=FindingPage)
def index(unit: Unit, query: FindingQuery) -> FindingPage:
    """List findings, newest first."""
    page = findings.list_findings(
        unit,
        status=query.status,
        severity=query.severity,
        asset_id=query.asset_id,
        workspace_id=query.workspace_id,
        day=query.day,
        search=query.q or None,
        cursor=query.cursor,
        size=query.limit,
    )
    return FindingPage(items=[FindingView.model_validate(row) for row in page.rows], next_cursor=page.next_cursor)


class TrendQuery(Asked):
    """How many days, up to today, and of which workspace."""

    days: int = Field(30, ge=8, le=366)
    workspace_id: UUID | None = None


class LevelsView(Told):
    """A number of findings for each severity."""

    critical: int
    high: int
    medium: int
    low: int
    info: int


class OpenDayView(LevelsView):
    """What was open at the end of a UTC day; today's is what is open now."""

    date: datetime.date


class TrendView(Told):
    """Open findings by severity over time, oldest day first, and how many more (or fewer) than a week ago."""

    days: list[OpenDayView]
    changes: LevelsView


@resource(blueprint, "GET", "/findings/trend", Permission.FINDINGS_READ, query=TrendQuery, answer=TrendView)
def trend(unit: Unit, query: TrendQuery) -> TrendView:
    """Show how many findings were open at the end of each day."""
    seen = finding_counts.open_by_day(unit, days=query.days, workspace_id=query.workspace_id)
    days = [OpenDayView(date=day, **levels) for day, levels in seen.days]
    return TrendView(days=days, changes=LevelsView(**seen.changes))


@resource(blueprint, "GET", "/findings/<finding_id>", Permission.FINDINGS_READ, answer=FindingView, tagged=True)
def show(unit: Unit, finding_id: UUID) -> FindingView:
    """Show a finding."""
    return FindingView.model_validate(findings.get_finding(unit, finding_id))


@resource(
    blueprint,
    "PATCH",
    "/findings/<finding_id>",
    Permission.FINDINGS_WRITE,
    Permission.FINDINGS_READ,
    body=FindingChange,
    answer=FindingView,
    tagged=True,
    current=show,
    held=Finding,
)
def triage(unit: Unit, finding_id: UUID, body: FindingChange) -> FindingView:
    """Give a finding another status."""
    return FindingView.model_validate(findings.triage(unit, finding_id, status=body.status))
