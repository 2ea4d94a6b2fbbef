"""Content tables that stand beside what they record: audit events and outbox."""

from app.db.units import Home
from app.models.tables import AuditColumns, OutboxColumns, Table


class AuditEvent(AuditColumns, Table):
    """A change in the content home."""

    __tablename__ = "audit_events"
    home = Home.CONTENT


class Effect(OutboxColumns, Table):
    """An effect of a change in the content home."""

    __tablename__ = "outbox"
    home = Home.CONTENT
