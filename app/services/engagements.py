"""Engagements: what bodies of work a workspace has."""

from uuid import UUID

from sqlalchemy import func, select

from app.core.permissions import Permission
from app.db.units import Unit
from app.models.scans import Engagement, Scan
from app.services.access import require

MOST = 50


def engagements_of(unit: Unit, workspace_id: UUID) -> list[tuple[Engagement, int]]:
    """Return the newest 50 engagements of the workspace, each with its number of scans. Needs tenant:scans:read."""
    require(unit, Permission.SCANS_READ)
    wanted = select(Engagement).where(Engagement.workspace_id == workspace_id)
    rows = list(unit.session.scalars(wanted.order_by(Engagement.created_at.desc(), Engagement.id.desc()).limit(MOST)))
    counted = unit.session.execute(
        select(Scan.engagement_id, func.count())
        .where(Scan.engagement_id.in_([row.id for row in rows]))
        .group_by(Scan.engagement_id)
    )
    scans: dict[UUID, int] = {engagement_id: number for engagement_id, number in counted}  # noqa: C416 - rows are not pairs to mypy
    return [(row, scans.get(row.id, 0)) for row in rows]
