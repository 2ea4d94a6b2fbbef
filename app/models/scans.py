"""Content tables of scanning: engagements, scans and their steps."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from app.db.units import Home, InWorkspace
from app.models.tables import Identified, Table


class Engagement(InWorkspace, Identified, Table):
    """A body of work that scans belong to."""

    __tablename__ = "engagements"
    home = Home.CONTENT

    name: Mapped[str]
    status: Mapped[str]
    created_at: Mapped[datetime]


class Scan(InWorkspace, Identified, Table):
    """One run of one tool on one asset; `simulated` marks demonstration rows that never ran."""

    __tablename__ = "scans"
    home = Home.CONTENT

    engagement_id: Mapped[UUID]
    asset_id: Mapped[UUID]
    tool: Mapped[str]
    status: Mapped[str]
    workflow_id: Mapped[str]
    requested_by: Mapped[str]
    requested_kind: Mapped[str]
    requested_id: Mapped[UUID | None]
    created_at: Mapped[datetime]
    admitted_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    failure: Mapped[str | None]
    partial: Mapped[bool] = mapped_column(default=False)
    simulated: Mapped[bool] = mapped_column(default=False)
    notes: Mapped[list[Any]] = mapped_column(default=list)
    finding_count: Mapped[int] = mapped_column(default=0)


class ScanStep(Identified, Table):
    """A step that a scan has reached."""

    __tablename__ = "scan_steps"
    home = Home.CONTENT

    scan_id: Mapped[UUID]
    name: Mapped[str]
    at: Mapped[datetime]
