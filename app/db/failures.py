"""Failed sign-ins in the directory: noted alike for addresses that are known and unknown, looked up by the worker."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.ids import new_id


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed sign-in with a member's address, for one of the tenants that they belong to; without one for none."""

    id: UUID
    email: str
    at: datetime
    address: str | None
    agent: str | None
    user_id: UUID | None
    tenant_id: UUID | None


def note_failure(session: Session, email: str, address: str | None, agent: str | None) -> None:
    """Keep a failed sign-in for the worker; ten an hour of one address, whether anybody has it or not."""
    call = text("SELECT auth.note_failure(:id, :email, :address, :agent)")
    session.execute(call, {"id": new_id(), "email": email, "address": address, "agent": agent})


def claim_failures(session: Session, most: int, lease: timedelta) -> list[Failure]:
    """Take the oldest failures until `lease` is over, one row for each tenant of whoever has the address."""
    rows = session.execute(text("SELECT * FROM auth.claim_failures(:most, :lease)"), {"most": most, "lease": lease})
    return [Failure(**row._mapping) for row in rows]


def settle_failures(session: Session, ids: list[UUID]) -> None:
    """Mark failures as written down."""
    session.execute(text("SELECT auth.settle_failures(:ids)"), {"ids": ids})
