"""Content tables that stand beside what they record: audit events, kept answers and outbox."""

from app.db.units import Home
from app.models.tables import AnswerColumns, AuditColumns, OutboxColumns, RemovalColumns, SealColumns, Table


class AuditEvent(AuditColumns, Table):
    """A change in the content home."""

    __tablename__ = "audit_events"
    home = Home.CONTENT


class AuditSeal(SealColumns, Table):
    """A seal of the content home's audit log."""

    __tablename__ = "audit_seals"
    home = Home.CONTENT


class AuditRemoval(RemovalColumns, Table):
    """A removal of old events from the content home's audit log."""

    __tablename__ = "audit_removals"
    home = Home.CONTENT


class KeptAnswer(AnswerColumns, Table):
    """An answer about the content home, kept for a repeated request."""

    __tablename__ = "kept_answers"
    home = Home.CONTENT


class Effect(OutboxColumns, Table):
    """An effect of a change in the content home."""

    __tablename__ = "outbox"
    home = Home.CONTENT
