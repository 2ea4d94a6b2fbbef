"""Findings: recording what a scan saw, listing, triage."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.errors import Invalid, MalformedRequest, NotFound
from app.core.ids import new_id
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.findings import Finding, FindingSighting
from app.models.scans import Scan
from app.scanners.probes import Fault, Severity
from app.services import audit, workspaces
from app.services.access import require
from app.services.pages import Page, newest_first

STATUSES = ("open", "resolved", "accepted", "false_positive")
SEVERITIES = tuple(str(severity) for severity in Severity)  # worst first


def fingerprint(fault: Fault) -> str:
    """Return what makes the fault the same over scans of one asset: rule and location."""
    return hashlib.sha256(f"{fault.rule}\0{fault.location}".encode()).hexdigest()[:32]


def day_bounds(day: str) -> tuple[datetime, datetime]:
    """Return the first moment of a UTC date (YYYY-MM-DD) and of the next. Raises MalformedRequest."""
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
        return start, start + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise MalformedRequest("A day is written YYYY-MM-DD.") from error


def record_faults(unit: Unit, scan: Scan, faults: list[Fault]) -> int:
    """Keep each fault as one finding of the asset, seen by this scan; return how many. Idempotent for a scan.

    A finding that was resolved and is seen again is open again; one accepted or called a false positive stays so.
    """
    now = unit.now()
    distinct = {fingerprint(fault): fault for fault in faults}
    for mark, fault in sorted(distinct.items()):
        values = {
            "tenant_id": unit.tenant_id,
            "id": new_id(),
            "asset_id": scan.asset_id,
            "workspace_id": scan.workspace_id,
            "fingerprint": mark,
            "rule": fault.rule,
            "title": _plain(fault.title),
            "severity": fault.severity,
            "cwe": fault.cwe,
            "location": _plain(fault.location),
            "evidence": _plain(fault.evidence),
            "remedy": _plain(fault.remedy),
            "status": "open",
            "first_seen_at": now,
            "last_seen_at": now,
            "first_scan_id": scan.id,
            "last_scan_id": scan.id,
            "simulated": scan.simulated,
        }
        statement = insert(Finding).values(values)
        renewed: dict[str, Any] = {name: statement.excluded[name] for name in _RENEWED}
        renewed["status"] = func.replace(Finding.status, "resolved", "open")
        found = unit.session.scalar(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "asset_id", "fingerprint"], set_=renewed
            ).returning(Finding.id)
        )
        sighting = {"tenant_id": unit.tenant_id, "scan_id": scan.id, "finding_id": found, "at": now}
        unit.session.execute(insert(FindingSighting).values(sighting).on_conflict_do_nothing())
    return len(distinct)


_RENEWED = ("title", "severity", "cwe", "evidence", "remedy", "last_seen_at", "last_scan_id")


def _plain(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def get_finding(unit: Unit, finding_id: UUID) -> Finding:
    """Return the finding. Needs tenant:findings:read. Raises NotFound."""
    require(unit, Permission.FINDINGS_READ)
    finding = unit.session.get(Finding, (unit.tenant_id, finding_id))
    if finding is None:
        raise NotFound()
    return finding


def sightings(unit: Unit, finding_id: UUID, *, most: int = 20) -> list[tuple[Scan, datetime]]:
    """Return the scans that saw the finding, newest first. Needs tenant:findings:read."""
    require(unit, Permission.FINDINGS_READ)
    rows = unit.session.execute(
        select(Scan, FindingSighting.at)
        .join(Scan, (Scan.tenant_id == FindingSighting.tenant_id) & (Scan.id == FindingSighting.scan_id))
        .where(FindingSighting.finding_id == finding_id)
        .order_by(FindingSighting.at.desc())
        .limit(most)
    )
    return [(scan, at) for scan, at in rows]


def findings_of_scan(unit: Unit, scan_id: UUID) -> list[Finding]:
    """Return what the scan saw, worst first. Needs tenant:findings:read."""
    require(unit, Permission.FINDINGS_READ)
    rows = unit.session.scalars(
        select(Finding)
        .join(
            FindingSighting,
            (FindingSighting.tenant_id == Finding.tenant_id) & (FindingSighting.finding_id == Finding.id),
        )
        .where(FindingSighting.scan_id == scan_id)
    )
    return sorted(rows, key=lambda finding: (SEVERITIES.index(finding.severity), finding.rule, finding.location))


def list_findings(
    unit: Unit,
    *,
    status: str | None = None,
    severity: str | None = None,
    asset_id: UUID | None = None,
    workspace_id: UUID | None = None,
    day: str | None = None,
    cursor: str | None = None,
    size: int = 50,
    counted: bool = False,
) -> Page[Finding]:
    """Return findings, newest first; `day` is the UTC date of the first sighting. Needs tenant:findings:read."""
    require(unit, Permission.FINDINGS_READ)
    binding = f"findings:{status}:{severity}:{asset_id}:{workspace_id}:{day}"
    statement = select(Finding)
    if status is not None:
        statement = statement.where(Finding.status == status)
    if severity is not None:
        statement = statement.where(Finding.severity == severity)
    if asset_id is not None:
        statement = statement.where(Finding.asset_id == asset_id)
    if workspace_id is not None:
        statement = statement.where(Finding.workspace_id == workspace_id)
    if day is not None:
        since, until = day_bounds(day)
        statement = statement.where(Finding.first_seen_at >= since, Finding.first_seen_at < until)
    return newest_first(
        unit, statement, Finding.first_seen_at, Finding.id, binding=binding, cursor=cursor, size=size, counted=counted
    )


def count_open(unit: Unit) -> dict[str, int]:
    """Return the number of open findings by severity, worst first. Needs tenant:findings:read."""
    require(unit, Permission.FINDINGS_READ)
    counted = unit.session.execute(
        select(Finding.severity, func.count()).where(Finding.status == "open").group_by(Finding.severity)
    )
    found: dict[str, int] = {severity: number for severity, number in counted}  # noqa: C416 - rows are not pairs to mypy
    return {severity: found.get(severity, 0) for severity in SEVERITIES}


def triage(unit: Unit, finding_id: UUID, *, status: str) -> Finding:
    """Give the finding another status. Needs tenant:findings:write. Raises Invalid for an unknown one."""
    require(unit, Permission.FINDINGS_WRITE)
    if status not in STATUSES:
        raise Invalid("The finding stays as it is.", fields={"status": "one of " + ", ".join(STATUSES)})
    finding = get_finding(unit, finding_id)
    workspaces.require_writable(unit, finding.workspace_id)
    if finding.status != status:
        audit.record(
            unit, "finding.triage", "finding", finding.id, before={"status": finding.status}, after={"status": status}
        )
        finding.status = status
    return finding
