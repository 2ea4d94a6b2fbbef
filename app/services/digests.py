"""What lists and the overview show beside a row of their own: names, counts, last moments, each in one query."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.core.permissions import Permission
from app.core.settings import settings
from app.db.units import Home, Unit
from app.models.assets import Asset, OwnershipProof
from app.models.findings import Finding
from app.models.scans import Scan
from app.models.tenants import Tenant
from app.models.usage import ApiCall
from app.services import api_keys
from app.services.access import may, require
from app.services.pages import count_each
from app.services.proofs import holds, proof_holds


@dataclass(frozen=True, slots=True)
class AssetDigest:
    """What is known of an asset: `proof` is proven, unproven, expired or "not needed"."""

    proof: str
    open_findings: int
    last_scan_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    """A tenant in numbers; counts stop at 10,001."""

    trial_ends_at: datetime | None
    week_begins: date
    keys: int
    assets: int
    proven: int
    scans_ever: int
    scans_week: int
    failed_week: int
    running: int
    queued: int
    found_week: int
    calls_today: int
    calls_week: int


def asset_names(unit: Unit, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the names of assets whose rows the caller has already been given."""
    if not ids:
        return {}
    rows = unit.session.execute(select(Asset.id, Asset.name).where(Asset.id.in_(set(ids))))
    return {row.id: row.name for row in rows}


def describe_assets(unit: Unit, assets: Sequence[Asset]) -> dict[UUID, AssetDigest]:
    """Return what is known of each asset. Needs tenant:assets:read."""
    require(unit, Permission.ASSETS_READ)
    ids = [asset.id for asset in assets]
    given = unit.session.scalars(select(OwnershipProof).where(OwnershipProof.asset_id.in_(ids)))
    proofs = {proof.asset_id: proof for proof in given}
    counted = unit.session.execute(
        select(Finding.asset_id, func.count())
        .where(Finding.asset_id.in_(ids), Finding.status == "open")
        .group_by(Finding.asset_id)
    )
    found: dict[UUID, int] = {asset_id: number for asset_id, number in counted}  # noqa: C416 - rows are not pairs to mypy
    last = unit.session.execute(
        select(Scan.asset_id, func.max(Scan.created_at)).where(Scan.asset_id.in_(ids)).group_by(Scan.asset_id)
    )
    scanned: dict[UUID, datetime] = {asset_id: at for asset_id, at in last}  # noqa: C416
    return {
        a.id: AssetDigest(proof_state(unit, proofs.get(a.id)), found.get(a.id, 0), scanned.get(a.id)) for a in assets
    }


def proof_state(unit: Unit, proof: OwnershipProof | None) -> str:
    """Return proven, unproven or expired; "not needed" where there is nothing to prove."""
    if proof is None:
        return "not needed"
    if proof_holds(unit, proof, settings().allowed_targets):
        return "proven"
    return "unproven" if proof.proven_at is None else "expired"


def look_over(unit: Unit) -> Overview:
    """Return the tenant in numbers; a week is seven UTC days, today included. Needs tenant:overview:read."""
    require(unit, Permission.OVERVIEW_READ)
    today = unit.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    week = today - timedelta(days=6)
    account = unit.at_home(Home.ACCOUNT)
    tenant = account.session.get(Tenant, unit.tenant_id)
    numbers = count_each(
        unit,
        {
            "assets": select(Asset.id).where(Asset.archived_at.is_(None)),
            "proven": select(OwnershipProof.id).where(holds(unit)),
            "scans_ever": select(select(Scan.id).limit(1).subquery()),
            "scans_week": select(Scan.id).where(Scan.created_at >= week),
            "failed_week": select(Scan.id).where(Scan.status == "failed", Scan.created_at >= week),
            "running": select(Scan.id).where(Scan.status == "running"),
            "queued": select(Scan.id).where(Scan.status == "queued"),
            "found_week": select(Finding.id).where(Finding.first_seen_at >= week),
            "calls_today": select(ApiCall.id).where(ApiCall.at >= today),
            "calls_week": select(ApiCall.id).where(ApiCall.at >= week),
        },
    )
    return Overview(
        trial_ends_at=tenant.trial_ends_at if tenant and tenant.status == "trial" else None,
        keys=api_keys.count_keys(account) if may(unit, Permission.KEYS_READ) else 0,
        week_begins=week.date(),
        **numbers,
    )
