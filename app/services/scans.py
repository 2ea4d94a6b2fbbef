"""Scans: start, cancel, retry, list; and what the worker does to them: admit, claim, complete, fail."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy import select, text, update

from app.core.errors import Conflict, FeatureMissing, Invalid, NotFound, PermissionDenied, Unavailable
from app.core.ids import new_id
from app.core.permissions import Permission
from app.core.settings import settings
from app.db.locks import Lock, hold
from app.db.units import Unit
from app.models.assets import Asset
from app.models.scans import Engagement, Scan, ScanStep
from app.outbox.requests import request_effect
from app.scanners.catalogue import TOOLS
from app.scanners.probes import Artefact, Ticket
from app.services import audit, configurations, findings, proofs, quotas, workspaces
from app.services.access import require
from app.services.assets import asset_url, document_text, find_asset
from app.services.pages import Page, newest_first
from app.services.plans import Quota, entitlements
from app.tenancy.actors import ActorKind

UNPLANNED = "Unplanned scans"
OVER = frozenset({"done", "failed", "cancelled"})
STOPPED_AT_ONCE = 200


def start_scan(unit: Unit, asset_id: UUID, *, tool: str) -> Scan:
    """Accept a scan of the asset, queued in this commit and dispatched after it. Needs tenant:scans:write.

    Raises NotFound for the asset, Invalid for a tool that does not fit it, FeatureMissing for one that the plan lacks,
    Conflict while control is not proven, QuotaExceeded when the month's scans are used up, Unavailable while the
    platform has stopped all scans.
    """
    require(unit, Permission.SCANS_WRITE)
    if settings().scans_stopped:
        raise Unavailable("The platform has stopped all scans for now.")
    asset = find_asset(unit, asset_id)
    entry = TOOLS.get(tool)
    if entry is None or asset.kind not in entry.takes:
        raise Invalid("The scan was not started.", fields={"tool": "no such tool for this kind of asset"})
    if asset.archived_at is not None:
        raise Conflict("The asset is archived.")
    workspaces.require_writable(unit, asset.workspace_id)
    if not configurations.tool_allowed(unit, asset.workspace_id, tool):
        raise Conflict(f"{entry.title} is switched off in this workspace.", extra={"tool": tool})
    if tool not in entitlements(unit).tools:
        raise FeatureMissing(f"{entry.title} is not part of this tenant's plan.", extra={"tool": tool})
    if entry.needs_proof:
        proof = proofs.find_proof(unit, asset_id)
        if not proofs.proof_holds(unit, proof, settings().allowed_targets):
            raise Conflict("Control of this address is not proven yet.", extra={"asset_id": str(asset_id)})
    return accept_scan(unit, asset, tool)


def accept_scan(unit: Unit, asset: Asset, tool: str) -> Scan:
    """Write a queued scan in the asset's workspace, take one of the month's scans for it and ask for its dispatch.

    Whether it may be is the caller's business. Raises QuotaExceeded.
    """
    engagement = unplanned_engagement(unit, asset.workspace_id)
    scan_id = new_id()
    scan = Scan(
        id=scan_id,
        workspace_id=asset.workspace_id,
        engagement_id=engagement,
        asset_id=asset.id,
        tool=tool,
        status="queued",
        workflow_id=f"{unit.tenant_id}:{engagement}:{scan_id}",
        requested_by=unit.actor.label,
        requested_kind=unit.actor.kind,
        requested_id=unit.actor.id,
        created_at=unit.now(),
    )
    unit.session.add(scan)
    unit.session.flush()
    audit.record_last(unit, "scan.start", "scan", scan_id, after={"asset": str(asset.id), "tool": tool})
    request_effect(unit, "scan.dispatch", {"scan_id": str(scan_id)})
    quotas.reserve(unit, Quota.SCANS, scan_id)
    return scan


def unplanned_engagement(unit: Unit, workspace_id: UUID) -> UUID:
    """Return the workspace's engagement of scans that belong to no other, made with the first of them."""
    name = select(Engagement.id).where(Engagement.name == UNPLANNED, Engagement.workspace_id == workspace_id)
    found = unit.session.scalar(name)
    if found is None:
        unit.session.execute(
            text(
                "INSERT INTO engagements (id, workspace_id, name, status, created_at) "
                "VALUES (:id, :workspace, :name, 'open', :now) ON CONFLICT (tenant_id, workspace_id, name) DO NOTHING"
            ),
            {"id": new_id(), "workspace": workspace_id, "name": UNPLANNED, "now": unit.now()},
        )
        found = unit.session.scalar(name)
    if found is None:
        raise NotFound()
    return found


def get_scan(unit: Unit, scan_id: UUID) -> Scan:
    """Return the scan. Needs tenant:scans:read. Raises NotFound."""
    require(unit, Permission.SCANS_READ)
    scan = unit.session.get(Scan, (unit.tenant_id, scan_id))
    if scan is None:
        raise NotFound()
    return scan


def scans_by_id(unit: Unit, ids: Sequence[UUID]) -> list[Scan]:
    """Return those of the scans that there are. Needs tenant:scans:read."""
    require(unit, Permission.SCANS_READ)
    return list(unit.session.scalars(select(Scan).where(Scan.id.in_(ids))))


def scan_steps(unit: Unit, scan_id: UUID) -> list[ScanStep]:
    """Return the steps that the scan has reached, in order. Needs tenant:scans:read."""
    require(unit, Permission.SCANS_READ)
    return list(
        unit.session.scalars(select(ScanStep).where(ScanStep.scan_id == scan_id).order_by(ScanStep.at, ScanStep.id))
    )


def list_scans(
    unit: Unit,
    *,
    status: str | None = None,
    asset_id: UUID | None = None,
    workspace_id: UUID | None = None,
    day: str | None = None,
    since: str | None = None,
    requested_by: str | None = None,
    cursor: str | None = None,
    size: int = 50,
    counted: bool = False,
) -> Page[Scan]:
    """Return scans, newest first; `day` is a UTC date (YYYY-MM-DD) of their acceptance, `since` the first of several.

    Needs tenant:scans:read. Raises MalformedRequest.
    """
    require(unit, Permission.SCANS_READ)
    binding = f"scans:{status}:{asset_id}:{workspace_id}:{day}:{since}:{requested_by}"
    statement = select(Scan)
    if requested_by is not None:
        statement = statement.where(Scan.requested_by == requested_by)
    if status is not None:
        statement = statement.where(Scan.status == status)
    if asset_id is not None:
        statement = statement.where(Scan.asset_id == asset_id)
    if workspace_id is not None:
        statement = statement.where(Scan.workspace_id == workspace_id)
    if day is not None:
        start, end = findings.day_bounds(day)
        statement = statement.where(Scan.created_at >= start, Scan.created_at < end)
    if since is not None:
        statement = statement.where(Scan.created_at >= findings.day_bounds(since)[0])
    return newest_first(
        unit, statement, Scan.created_at, Scan.id, binding=binding, cursor=cursor, size=size, counted=counted
    )


def cancel_scan(unit: Unit, scan_id: UUID) -> Scan:
    """Cancel the scan wherever it stands; one that is over stays as it is. Needs tenant:scans:write."""
    require(unit, Permission.SCANS_WRITE)
    scan = get_scan(unit, scan_id)
    _cancel(unit, scan)
    unit.session.refresh(scan)
    return scan


def cancel_for_staff(unit: Unit, scan_id: UUID, reason: str) -> None:
    """Cancel a tenant's scan that hangs, as the tenant could; the scan's page tells it why. Staff only.

    Its row ends with this commit, whatever Temporal knows of its workflow. Raises PermissionDenied for a tenant's own
    people and keys, NotFound, Conflict where it is over.
    """
    if unit.actor.kind is not ActorKind.STAFF:
        raise PermissionDenied("Only the staff of the platform do this.")
    scan = unit.session.get(Scan, (unit.tenant_id, scan_id))
    if scan is None:
        raise NotFound()
    if not _cancel(unit, scan, reason):
        unit.session.refresh(scan)
        raise Conflict(f"The scan is {scan.status} already.")


def _cancel(unit: Unit, scan: Scan, reason: str | None = None) -> bool:
    was, told = scan.status, {"status": "cancelled"} | ({} if reason is None else {"reason": reason})
    if not _move(unit, scan.id, ("queued", "running"), "cancelled", failure=reason):
        return False
    audit.record(unit, "scan.cancel", "scan", scan.id, before={"status": was}, after=told)
    unit.session.refresh(scan)
    if scan.admitted_at is not None:  # one that still waited has no workflow and held no place
        request_effect(unit, "scan.cancel", {"scan_id": str(scan.id), "workflow_id": scan.workflow_id})
        request_effect(unit, "scan.dispatch", {})
    return True


def retry_scan(unit: Unit, scan_id: UUID) -> Scan:
    """Start a new scan of the same asset with the same tool. Needs tenant:scans:write."""
    scan = get_scan(unit, scan_id)
    return start_scan(unit, scan.asset_id, tool=scan.tool)


def _move(unit: Unit, scan_id: UUID, before: tuple[str, ...], after: str, **values: object) -> bool:
    stamps: dict[str, object] = {"finished_at": unit.now()} if after in OVER else {}
    moved = unit.session.execute(
        update(Scan)
        .where(Scan.id == scan_id, Scan.status.in_(before))
        .values(status=after, **stamps, **values)
        .execution_options(synchronize_session=False)
        .returning(Scan.id)
    ).scalar_one_or_none()
    if moved is not None and after in OVER:
        (quotas.settle if after == "done" else quotas.release)(unit, scan_id)
    return moved is not None


# What the worker does. None of these asks for a permission: they carry out what was allowed when it was accepted.


def stop_scans(unit: Unit) -> int:
    """Cancel scans that are not over, those that run first, if the tenant is closed; return how many, 200 at most.

    Under the lock of admission: whatever is accepted or admitted beside it is cancelled, or finds the tenant closed.
    """
    if entitlements(unit).open:
        return 0
    hold(unit.session, Lock.ADMISSION, unit.tenant_id)
    going = select(Scan).where(Scan.status.in_(("queued", "running"))).order_by(Scan.status.desc(), Scan.created_at)
    stopped = unit.session.scalars(going.limit(STOPPED_AT_ONCE)).all()
    for scan in stopped:
        _cancel(unit, scan)
    return len(stopped)


def claim_scan(unit: Unit, scan_id: UUID) -> Ticket | None:
    """Take the scan from queued to running and return its ticket; None where it was cancelled or is over.

    A scan that is running already (its worker died) is claimed again. Where control is no longer proven, it fails; of a
    closed tenant it is cancelled. Raises Unavailable for one that is not admitted: it would run beyond the plan.
    """
    scan = unit.session.get(Scan, (unit.tenant_id, scan_id))
    if scan is not None and not entitlements(unit).open:
        _cancel(unit, scan)
        return None
    if scan is not None and scan.status == "queued" and scan.admitted_at is None:
        raise Unavailable("The scan is not admitted yet.")
    if scan is None or not _move(unit, scan_id, ("queued", "running"), "running"):
        return None
    if scan.started_at is None:
        scan.started_at = unit.now()
    note_step(unit, scan_id, "started")
    ticket = Ticket(
        scan_id=str(scan_id),
        tool=scan.tool,
        allowed=sorted(settings().allowed_targets),
        resolvers=list(settings().resolvers),
        user_agent=f"Sentinel/1.0 (scan {scan_id}; +{settings().base_url}/about/scans)",
        seconds=configurations.scan_seconds(unit, scan.workspace_id),
    )
    if not TOOLS[scan.tool].needs_proof:
        return replace(ticket, document=document_text(unit, scan.asset_id))
    proof = proofs.find_proof(unit, scan.asset_id)
    if not proofs.proof_holds(unit, proof, settings().allowed_targets):
        fail_scan(unit, scan_id, "Control of this address is no longer proven.")
        return None
    return replace(ticket, target=asset_url(unit, scan.asset_id))


def note_step(unit: Unit, scan_id: UUID, name: str) -> None:
    """Write down that the scan has reached the step; a second time changes nothing."""
    unit.session.execute(
        text(
            "INSERT INTO scan_steps (id, scan_id, name, at) VALUES (:id, :scan, :name, :now) "
            "ON CONFLICT (tenant_id, scan_id, name) DO NOTHING"
        ),
        {"id": new_id(), "scan": scan_id, "name": name, "now": unit.now()},
    )


def complete_scan(unit: Unit, scan_id: UUID, artefact: Artefact) -> None:
    """Keep what the scan found and end it; a second call, or one after a cancel, changes nothing.

    Of a tenant that was closed meanwhile nothing is kept: its scan is cancelled.
    """
    if not entitlements(unit).open:
        _cancel(unit, unit.session.get_one(Scan, (unit.tenant_id, scan_id)))
        return
    if artefact.failure is not None:
        fail_scan(unit, scan_id, artefact.failure)
        return
    if not _move(unit, scan_id, ("running",), "done", partial=artefact.partial, notes=list(artefact.notes)):
        return
    scan = unit.session.get_one(Scan, (unit.tenant_id, scan_id), populate_existing=True)
    scan.finding_count = findings.record_faults(unit, scan, artefact.faults)
    note_step(unit, scan_id, "finished")
    audit.record(unit, "scan.complete", "scan", scan_id, after={"findings": scan.finding_count})
    request_effect(unit, "graph.scan", {"scan_id": str(scan_id)})
    request_effect(unit, "scan.dispatch", {})


def fail_scan(unit: Unit, scan_id: UUID, reason: str) -> None:
    """End the scan as failed, with a reason for a person; one that is over stays as it is."""
    if _move(unit, scan_id, ("queued", "running"), "failed", failure=reason[:500]):
        audit.record(unit, "scan.fail", "scan", scan_id, after={"reason": reason[:500]})
        request_effect(unit, "scan.dispatch", {})


def readmit_scan(unit: Unit, scan_id: UUID) -> None:
    """Have a scan that is not over dispatched once more: its start was lost."""
    scan = unit.session.get(Scan, (unit.tenant_id, scan_id))
    if scan is not None and scan.status in ("queued", "running"):
        request_effect(unit, "scan.dispatch", {"scan_id": str(scan_id)})
