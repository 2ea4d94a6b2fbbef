"""Visits to tenants in the directory: which tenants a person has, which was last, who was seen in one."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.directory import TenantChoice


@dataclass(frozen=True, slots=True)
class Visit:
    """The tenants of whoever looks at a page, by name, and whether they are offered the ownership of this one."""

    tenants: tuple[TenantChoice, ...]
    offered: bool


def visit(session: Session, token_hash: bytes) -> Visit:
    """Note that the person was in the present tenant, and return what its shell shows: one round trip.

    A row is written when the tenant is another one than last, else at most once an hour.
    """
    rows = session.execute(text("SELECT * FROM auth.visit(:hash)"), {"hash": token_hash}).all()
    choices = tuple(TenantChoice(row.slug, row.name, row.role, row.status) for row in rows)
    return Visit(choices, any(row.here and row.offered for row in rows))


def note_entry(session: Session, session_id: UUID) -> bool:
    """Note that a session came into the present tenant; False where it did so before."""
    return bool(session.execute(text("SELECT auth.note_entry(:id)"), {"id": session_id}).scalar_one())


def last_visited(session: Session, token_hash: bytes) -> str | None:
    """Return the slug of the tenant that the person was in last, of those that they still belong to."""
    found: str | None = session.execute(text("SELECT auth.last_visited(:hash)"), {"hash": token_hash}).scalar_one()
    return found


def members_seen(session: Session, user_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return when these members were last in the session's tenant."""
    rows = session.execute(text("SELECT * FROM auth.members_seen(:ids)"), {"ids": list(user_ids)})
    return {row.user_id: row.used_at for row in rows}


def end_tenant_sessions(session: Session, user_id: UUID) -> None:
    """End the sessions that the present tenant's own provider opened for the person."""
    session.execute(text("SELECT auth.end_tenant_sessions(:user)"), {"user": user_id})
