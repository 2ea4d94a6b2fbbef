"""Content tables of what scans found."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home, InWorkspace, OfTenant
from app.models.tables import Identified, Table


class Finding(InWorkspace, Identified, Table):
    """One fault on one asset, the same over all scans that see it (its fingerprint)."""

    __tablename__ = "findings"
    home = Home.CONTENT

    asset_id: Mapped[UUID]
    fingerprint: Mapped[str]
    rule: Mapped[str]
    title: Mapped[str]
    severity: Mapped[str]
    cwe: Mapped[int | None]
    location: Mapped[str]
    evidence: Mapped[str]
    remedy: Mapped[str]
    status: Mapped[str]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    first_scan_id: Mapped[UUID]
    last_scan_id: Mapped[UUID]
    simulated: Mapped[bool] = mapped_column(default=False)


class FindingSighting(OfTenant, Table):
    """A scan saw a finding."""

    __tablename__ = "finding_sightings"
    home = Home.CONTENT

    scan_id: Mapped[UUID] = mapped_column(primary_key=True)
    finding_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime]
