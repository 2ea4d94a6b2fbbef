"""The audit log: one row per change, in the change's own transaction."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.accounts import AccountAuditEvent
from app.models.tables import AuditColumns
from app.models.trails import AuditEvent
from app.services.access import require
from app.services.pages import Page, cut, decode_cursor


def record(
    unit: Unit,
    action: str,
    target_kind: str,
    target_id: UUID | None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down that the unit's actor did `action` (`noun.verb`) to the target. Values hold no secret."""
    table: type[AuditEvent] | type[AccountAuditEvent] = AuditEvent if unit.home is Home.CONTENT else AccountAuditEvent
    unit.session.add(
        table(
            at=unit.now(),
            actor_kind=unit.actor.kind,
            actor_id=unit.actor.id,
            actor_label=unit.actor.label,
            action=action,
            target_kind=target_kind,
            target_id=target_id,
            before=None if before is None else dict(before),
            after=None if after is None else dict(after),
            address=unit.actor.address,
            agent=unit.actor.agent,
            request_id=unit.actor.request_id,
        )
    )


def list_events(unit: Unit, *, cursor: str | None = None, size: int = 50) -> Page[AuditColumns]:
    """Return the tenant's audit events of both homes, newest first. Needs tenant:audit:read."""
    require(unit, Permission.AUDIT_READ)
    after = decode_cursor(unit, cursor, "audit")
    rows: list[AuditColumns] = []
    for home, table in ((Home.ACCOUNT, AccountAuditEvent), (Home.CONTENT, AuditEvent)):
        statement = select(table).order_by(table.at.desc(), table.id.desc()).limit(size + 1)
        if after is not None:
            statement = statement.where((table.at < after.at) | ((table.at == after.at) & (table.id < after.id)))
        rows += unit.at_home(home).session.scalars(statement)
    rows.sort(key=lambda row: (row.at, row.id), reverse=True)
    return cut(unit, rows[: size + 1], size, "audit", lambda row: (row.at, row.id))
