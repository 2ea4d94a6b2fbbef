"""Which tenants' calls are to be summed by day, and which to be removed: the directory's functions for the worker."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class DueBook:
    """A tenant whose days are to be summed: from `since` (None: from the first call on) to before `until`, in UTC."""

    tenant_id: UUID
    since: date | None
    until: date


@dataclass(frozen=True, slots=True)
class DueRemoval:
    """A tenant whose days before `until` (UTC) are summed, and whose calls were not looked through since."""

    tenant_id: UUID
    until: date


def open_book(session: Session) -> None:
    """Have the present tenant's calls summed by day from now on; a second time changes nothing."""
    session.execute(text("SELECT auth.open_usage_book()"))


def books_due(session: Session, most: int) -> list[DueBook]:
    """Return at most `most` tenants with days that ended an hour ago or earlier and are not summed. The worker's."""
    rows = session.execute(text("SELECT * FROM auth.usage_due(:most)"), {"most": most})
    return [DueBook(row.tenant_id, row.since, row.until) for row in rows]


def note_summed(session: Session, until: date) -> None:
    """Remember that the present tenant's days before `until` are summed. The worker's."""
    session.execute(text("SELECT auth.note_usage_summed(:until)"), {"until": until})


def removals_due(session: Session, most: int) -> list[DueRemoval]:
    """Return at most `most` tenants that may have calls which their plan keeps no longer. The worker's."""
    rows = session.execute(text("SELECT * FROM auth.calls_due(:most)"), {"most": most})
    return [DueRemoval(row.tenant_id, row.until) for row in rows]


def note_removed(session: Session, until: date) -> None:
    """Remember that the present tenant has no such calls left, as of its days before `until`. The worker's."""
    session.execute(text("SELECT auth.note_calls_removed(:until)"), {"until": until})
