"""Proof of control: what a tenant must publish before its address is scanned over the network."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select

from app.core.errors import NotFound
from app.core.outbound import Policy
from app.core.permissions import Permission
from app.core.settings import settings
from app.db.units import Unit
from app.models.assets import OwnershipProof
from app.outbox.requests import request_effect
from app.scanners.ownership import Attempt, check_dns, check_file
from app.services import audit, workspaces
from app.services.access import require
from app.services.assets import get_asset

PROOF_LASTS = timedelta(days=90)
CHECK_INTERVAL = timedelta(seconds=8)


def get_proof(unit: Unit, asset_id: UUID) -> OwnershipProof:
    """Return the asset's proof of control, given or not. Needs tenant:assets:read. Raises NotFound."""
    get_asset(unit, asset_id)
    return find_proof(unit, asset_id)


def find_proof(unit: Unit, asset_id: UUID) -> OwnershipProof:
    """Return the asset's proof of control. For the worker: asks for no permission. Raises NotFound."""
    proof = unit.session.scalar(select(OwnershipProof).where(OwnershipProof.asset_id == asset_id))
    if proof is None:
        raise NotFound()
    return proof


def request_check(unit: Unit, asset_id: UUID) -> OwnershipProof:
    """Have the worker look for the proof, unless it looked a moment ago. Needs tenant:assets:write."""
    require(unit, Permission.ASSETS_WRITE)
    workspaces.require_writable(unit, get_asset(unit, asset_id).workspace_id)
    proof = find_proof(unit, asset_id)
    if proof.requested_at is None or unit.now() - proof.requested_at >= CHECK_INTERVAL:
        proof.requested_at = unit.now()
        request_effect(unit, "proof.check", {"asset_id": str(asset_id)})
    return proof


def proof_holds(unit: Unit, proof: OwnershipProof, allowed: frozenset[str]) -> bool:
    """Tell whether the asset may be scanned over the network now: proven and not expired, or a target of ours."""
    if proof.endpoint in allowed:
        return True
    return proof.proven_at is not None and proof.expires_at is not None and proof.expires_at > unit.now()


def holds(unit: Unit) -> ColumnElement[bool]:
    """Return the same as a condition on rows, with the targets that are allowed without a proof."""
    proven = OwnershipProof.proven_at.is_not(None) & (OwnershipProof.expires_at > unit.now())
    return OwnershipProof.endpoint.in_(sorted(settings().allowed_targets)) | proven


def note_attempts(unit: Unit, asset_id: UUID, attempts: list[Attempt]) -> OwnershipProof:
    """Keep what the checks saw; one match proves control for 90 days. For the worker: asks for no permission."""
    proof = find_proof(unit, asset_id)
    now = unit.now()
    proof.checked_at = now
    proof.attempts = [
        {"method": seen.method, "asked": seen.asked, "matched": seen.matched, "status": seen.status}
        for seen in attempts
    ]
    matched = next((attempt for attempt in attempts if attempt.matched), None)
    if matched is not None:
        if proof.proven_at is None:
            audit.record(
                unit, "asset.prove", "asset", asset_id, after={"by": matched.method, "endpoint": proof.endpoint}
            )
        proof.proven_at = now
        proof.proven_by = matched.method
        proof.expires_at = now + PROOF_LASTS
    return proof


def look_for_proof(token: str, url: str, host: str, policy: Policy) -> list[Attempt]:
    """Ask every resolver for the DNS record and fetch the file; touches no database."""
    return [*check_dns(host, token, policy), *check_file(url, token, policy)]
