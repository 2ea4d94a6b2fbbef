"""Findings: recording what a scan saw, listing, triage."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from app.core.errors import Invalid, MalformedRequest, NotFound
from app.core.ids import new_id
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.assets import Asset
from app.models.findings import Finding, FindingSighting
from app.models.scans import Scan
from app.scanners.probes import Fault
from app.services import audit, workspaces
from app.services.access import require
from app.services.finding_counts import SEVERITIES, Standing, count_findings, note_changes
from app.services.pages import Page, count_rows, newest_first

STATUSES = ("open", "resolved", "accepted", "false_positive")
AT_ONCE = 500  # findings in a statement


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
    Scans of one asset are recorded one after the other.
    """
    distinct = {fingerprint(fault): fault for fault in faults}
    marks = sorted(distinct)
    known, now = _known(unit, scan.asset_id, marks), unit.now()
    for first in range(0, len(marks), AT_ONCE):
        _keep(unit, scan, {mark: distinct[mark] for mark in marks[first : first + AT_ONCE]}, now)
    changes = ((known.get(mark), _renewed(known.get(mark), fault)) for mark, fault in distinct.items())
    note_changes(unit, scan.workspace_id, changes, at=now)
    return len(distinct)


def _known(unit: Unit, asset_id: UUID, marks: list[str]) -> dict[str, Standing]:
    """Return what is known of these findings of the asset, locked; no other scan adds to the asset meanwhile."""
    if not marks:
        return {}
    unit.session.execute(select(Asset.id).where(Asset.id == asset_id).with_for_update(key_share=True))
    rows = unit.session.execute(
        select(Finding.fingerprint, Finding.status, Finding.severity)
        .where(Finding.asset_id == asset_id, Finding.fingerprint.in_(marks))
        .order_by(Finding.fingerprint)
        .with_for_update(key_share=True)
    )
    return {row.fingerprint: Standing(row.status, row.severity) for row in rows}


def _renewed(before: Standing | None, fault: Fault) -> Standing:
    status = "open" if before is None or before.status == "resolved" else before.status
    return Standing(status, str(fault.severity))


def _keep(unit: Unit, scan: Scan, faults: dict[str, Fault], now: datetime) -> None:
    rows = [_values(unit, scan, mark, fault, now) for mark, fault in faults.items()]
    statement = insert(Finding).values(rows)
    renewed: dict[str, Any] = {name: statement.excluded[name] for name in _RENEWED}
    renewed["status"] = func.replace(Finding.status, "resolved", "open")
    kept = unit.session.scalars(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "asset_id", "fingerprint"], set_=renewed
        ).returning(Finding.id)
    ).all()
    sightings = [{"tenant_id": unit.tenant_id, "scan_id": scan.id, "finding_id": each, "at": now} for each in kept]
    unit.session.execute(insert(FindingSighting).values(sightings).on_conflict_do_nothing())


def _values(unit: Unit, scan: Scan, mark: str, fault: Fault, now: datetime) -> dict[str, Any]:
    return {
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
    since: str | None = None,
    until: str | None = None,
    search: str | None = None,
    cursor: str | None = None,
    size: int = 50,
    counted: bool = False,
) -> Page[Finding]:
    """Return findings, newest first; `day` is the UTC date of the first sighting, or `since` and `until`, included.

    `search` is words that all stand in the title or the rule. Counted exactly, but beyond 10,000 not by asset, date or
    word. Needs tenant:findings:read. Raises MalformedRequest.
    """
    require(unit, Permission.FINDINGS_READ)
    since, until = day or since, day or until
    binding = f"findings:{status}:{severity}:{asset_id}:{workspace_id}:{since}:{until}:{search}"
    statement = select(Finding)
    if status is not None:
        statement = statement.where(Finding.status == status)
    if severity is not None:
        statement = statement.where(Finding.severity == severity)
    if asset_id is not None:
        statement = statement.where(Finding.asset_id == asset_id)
    if workspace_id is not None:
        statement = statement.where(Finding.workspace_id == workspace_id)
    if since is not None:
        statement = statement.where(Finding.first_seen_at >= day_bounds(since)[0])
    if until is not None:
        statement = statement.where(Finding.first_seen_at < day_bounds(until)[1])
    if search is not None:
        statement = statement.where(Finding.rule.in_(_rules_with(unit, search)))
    page = newest_first(unit, statement, Finding.first_seen_at, Finding.id, binding=binding, cursor=cursor, size=size)
    if not counted:
        return page
    if asset_id or since or until or search:
        return replace(page, count=count_rows(unit, statement))
    return replace(page, count=count_findings(unit, status=status, severity=severity, workspace_id=workspace_id))


def _rules_with(unit: Unit, search: str) -> list[str]:
    """Return the rules of the tenant's findings that have these words in them or in their title.

    The distinct rules, a few hundred at most, are read by skipping from one to the next in their index: which rows have
    which words cannot be asked of an index under row-level security, but which rule they have can.
    """
    words = search.casefold().split()
    rows = unit.session.execute(_RULES, {"most": MOST_RULES})
    return [row.rule for row in rows if all(word in f"{row.rule} {row.title}".casefold() for word in words)]


MOST_RULES = 2_000
_RULES = text(
    "WITH RECURSIVE kinds AS ("
    "(SELECT rule, title FROM findings ORDER BY tenant_id, rule LIMIT 1) UNION ALL "
    "SELECT n.rule, n.title FROM kinds k, LATERAL (SELECT f.rule, f.title FROM findings f WHERE f.rule > k.rule "
    "ORDER BY f.tenant_id, f.rule LIMIT 1) n) SELECT rule, title FROM kinds LIMIT :most"
)


def triage(unit: Unit, finding_id: UUID, *, status: str) -> Finding:
    """Give the finding another status. Needs tenant:findings:write. Raises Invalid for an unknown one."""
    require(unit, Permission.FINDINGS_WRITE)
    if status not in STATUSES:
        raise Invalid("The finding stays as it is.", fields={"status": "one of " + ", ".join(STATUSES)})
    finding = get_finding(unit, finding_id)
    workspaces.require_writable(unit, finding.workspace_id)
    unit.session.refresh(finding, with_for_update={"key_share": True})
    if finding.status != status:
        before, finding.status = finding.status, status
        audit.record(unit, "finding.triage", "finding", finding.id, before={"status": before}, after={"status": status})
        unit.session.flush()
        note_changes(
            unit,
            finding.workspace_id,
            [(Standing(before, finding.severity), Standing(status, finding.severity))],
            at=unit.now(),
        )
    return finding
