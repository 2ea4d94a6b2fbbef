"""Who calls with which secret of which key, and with which scopes: written in batches, read by the tenant."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class KeyUse:
    """That a caller used a secret, last at that moment, and the scopes that it exercised."""

    tenant_id: UUID
    secret_id: UUID
    address: str
    agent: str
    at: datetime
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """Who called with a secret, and when last; of a secret the 20 newest are known."""

    key_id: UUID
    secret_id: UUID
    address: str
    agent: str
    last_at: datetime


class PepperCount(NamedTuple):
    """How many secrets in force are hashed under the pepper of that mark."""

    mark: str
    secrets: int


def note(session: Session, uses: Iterable[KeyUse]) -> None:
    """Write down uses of any tenants; what is newer already stays. Takes its turn after other processes' batches."""
    rows = [
        {
            "tenant_id": str(use.tenant_id),
            "secret_id": str(use.secret_id),
            "address": use.address,
            "agent": use.agent,
            "at": use.at.isoformat(),
            "scopes": list(use.scopes),
        }
        for use in uses
    ]
    session.execute(text("SELECT auth.note_key_uses(CAST(:uses AS jsonb))"), {"uses": json.dumps(rows)})


def callers(session: Session, key_ids: Collection[UUID], *, most: int = 20) -> list[KeyCaller]:
    """Return the `most` newest callers of each secret of the present tenant's keys, newest first."""
    rows = session.execute(
        text("SELECT * FROM auth.key_uses_of(CAST(:ids AS uuid[]), :most)"), {"ids": list(key_ids), "most": most}
    )
    return [KeyCaller(row.key_id, row.secret_id, row.address, row.agent, row.last_at) for row in rows]


def scopes_used(session: Session, key_ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """Return the scopes that the present tenant's keys have ever exercised."""
    rows = session.execute(text("SELECT * FROM auth.key_scopes_used(CAST(:ids AS uuid[]))"), {"ids": list(key_ids)})
    found: dict[UUID, set[str]] = {}
    for row in rows:
        found.setdefault(row.key_id, set()).add(row.scope)
    return found


def count_peppers(session: Session) -> list[PepperCount]:
    """Return how many secrets in force, of all tenants, are hashed under which pepper. For the worker's login."""
    return [PepperCount(row.pepper, row.secrets) for row in session.execute(text("SELECT * FROM auth.count_peppers()"))]
