"""Content tables of what scans found, and how many of it there are."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger
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


class FindingTotal(InWorkspace, OfTenant, Table):
    """How many findings of a workspace have this status and severity, changed by whatever changes a finding."""

    __tablename__ = "finding_totals"
    home = Home.CONTENT

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-5)
    status: Mapped[str] = mapped_column(primary_key=True)
    severity: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)


class FindingDay(InWorkspace, OfTenant, Table):
    """How many findings of a severity became open on a UTC day, how many ceased to be, and how many were new."""

    __tablename__ = "finding_days"
    home = Home.CONTENT

    day: Mapped[date] = mapped_column(primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-5)
    severity: Mapped[str] = mapped_column(primary_key=True)
    opened: Mapped[int] = mapped_column(BigInteger)
    closed: Mapped[int] = mapped_column(BigInteger)
    found: Mapped[int] = mapped_column(BigInteger, default=0)
