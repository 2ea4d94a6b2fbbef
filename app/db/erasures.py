"""Erasures of tenants in the directory: begun, claimed, gone on with, finished; the database's own functions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that was begun: why, how far it is, what keys it destroyed; `quiet` once nothing in hand can write."""

    tenant_id: UUID
    slug: str
    order_id: UUID | None
    staff_id: UUID | None
    reason: str
    deleted_at: datetime
    begun_at: datetime
    step: str
    round: int
    quiet: bool
    keys: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ErasureRow:
    """An erasure as staff see it; `certificate` and `signature` once it is over."""

    tenant_id: UUID
    slug: str
    order_id: UUID | None
    reason: str
    deleted_at: datetime
    begun_at: datetime
    step: str
    round: int
    attempts: int
    due_at: datetime
    last_error: str | None
    finished_at: datetime | None
    certificate: str | None
    signature: bytes | None


class Claim(NamedTuple):
    """A tenant whose erasure is in the caller's hands; `attempts` counts from 1."""

    tenant_id: UUID
    attempts: int


class Tie(NamedTuple):
    """A table of the directory and the column by which its rows belong to a tenant."""

    name: str
    of_column: str


def begun(session: Session, tenant_id: UUID) -> bool:
    """Tell whether the tenant is being erased, or was."""
    return bool(session.execute(text("SELECT auth.erasure_begun(:tenant)"), {"tenant": tenant_id}).scalar_one())


def due(session: Session, most: int) -> list[UUID]:
    """Return deleted tenants whose time for restoring is over. The worker's, as is all that follows but `listed`."""
    return list(session.scalars(text("SELECT auth.erasures_due(:most)"), {"most": most}))


def begin(session: Session, tenant_id: UUID, order_id: UUID | None) -> None:
    """Begin to erase a deleted tenant, by an order or because its time is over; a second time changes nothing.

    The database refuses any other tenant.
    """
    call = text("SELECT auth.begin_erasure(:tenant, :order)")
    session.execute(call, {"tenant": tenant_id, "order": order_id})


def claim(session: Session, lease: timedelta) -> Claim | None:
    """Take the erasure that is due the longest, until `lease` is over."""
    row = session.execute(text("SELECT * FROM auth.claim_erasure(:lease)"), {"lease": lease}).one_or_none()
    return None if row is None else Claim(row.tenant_id, row.attempts)


def keep(session: Session, tenant_id: UUID, lease: timedelta) -> None:
    """Have the erasure for `lease` more."""
    session.execute(text("SELECT auth.keep_erasure(:tenant, :lease)"), {"tenant": tenant_id, "lease": lease})


def postpone(session: Session, tenant_id: UUID, again: timedelta, problem: str) -> None:
    """Give the erasure back, due once more after `again`."""
    call = text("SELECT auth.postpone_erasure(:tenant, :again, :problem)")
    session.execute(call, {"tenant": tenant_id, "again": again, "problem": problem})


def read(session: Session, tenant_id: UUID) -> Erasure:
    """Return the erasure."""
    row = session.execute(text("SELECT * FROM auth.read_erasure(:tenant)"), {"tenant": tenant_id}).one()
    return Erasure(**row._mapping)


def settled(session: Session, tenant_id: UUID) -> bool:
    """Tell whether every transaction is over that may not have seen the beginning; goes on to the next step then."""
    return bool(session.execute(text("SELECT auth.settle_erasure(:tenant)"), {"tenant": tenant_id}).scalar_one())


def go_on(session: Session, tenant_id: UUID, was: str, becomes: str) -> None:
    """Note that a step is done; the scan leads back to the directory, in another round, where it found something."""
    call = text("SELECT auth.step_erasure(:tenant, :was, :becomes)")
    session.execute(call, {"tenant": tenant_id, "was": was, "becomes": becomes})


def note_found(session: Session, tenant_id: UUID, kind: str, name: str, number: int) -> None:
    """Keep how much was found outside of the database, before it is removed; of a round the largest number stays."""
    call = text("SELECT auth.note_found(:tenant, :kind, :name, :number)")
    session.execute(call, {"tenant": tenant_id, "kind": kind, "name": name, "number": number})


def note_keys(session: Session, tenant_id: UUID, prints: list[dict[str, Any]]) -> None:
    """Keep which data keys are destroyed with this commit."""
    call = text("SELECT auth.note_erased_keys(:tenant, CAST(:prints AS jsonb))")
    session.execute(call, {"tenant": tenant_id, "prints": json.dumps(prints)})


def wrapped_keys(session: Session, tenant_id: UUID) -> list[dict[str, Any]]:
    """Return version and SHA-256 of each wrapped data key, as the present tenant."""
    rows = session.execute(
        text(
            "SELECT version, encode(sha256(wrapped), 'hex') AS print FROM control.tenant_keys "
            "WHERE tenant_id = :tenant ORDER BY version"
        ),
        {"tenant": tenant_id},
    )
    return [{"version": row.version, "wrapped_sha256": row.print} for row in rows]


def tables(session: Session) -> list[str]:
    """Return the tenants' tables, each before those that it refers to, the control home's last."""
    return list(session.scalars(text("SELECT name FROM eraser.tenant_tables() ORDER BY place")))


def erase_rows(session: Session, tenant_id: UUID, table: str, most: int) -> int:
    """Delete and count up to `most` rows of the tenant; return how many."""
    call = text("SELECT eraser.erase_rows(:tenant, :table, :most)")
    return int(session.execute(call, {"tenant": tenant_id, "table": table, "most": most}).scalar_one())


def ties(session: Session) -> list[Tie]:
    """Return which tables of the directory name tenants, and by which column; each before those that it refers to."""
    rows = session.execute(text("SELECT name, of_column FROM auth.directory_ties() ORDER BY place"))
    return [Tie(row.name, row.of_column) for row in rows]


def erase_directory(session: Session, tenant_id: UUID, tie: Tie, most: int) -> int:
    """Delete and count up to `most` rows of the directory that name the tenant; return how many."""
    call = text("SELECT auth.erase_directory(:tenant, :table, :column, :most)")
    values = {"tenant": tenant_id, "table": tie.name, "column": tie.of_column, "most": most}
    return int(session.execute(call, values).scalar_one())


def left(session: Session, tenant_id: UUID) -> dict[str, dict[str, int]]:
    """Return how many rows of the tenant there are, by kind and table; zeros included."""
    rows = session.execute(text("SELECT name, remaining FROM eraser.rows_left(:tenant)"), {"tenant": tenant_id})
    entries = session.execute(text("SELECT name, remaining FROM auth.directory_left(:tenant)"), {"tenant": tenant_id})
    return {
        "rows": {row.name: row.remaining for row in rows},
        "directory": {row.name: row.remaining for row in entries},
    }


def counts(session: Session, tenant_id: UUID) -> dict[str, dict[str, int]]:
    """Return how much was removed, by kind and name."""
    found: dict[str, dict[str, int]] = {}
    for row in session.execute(text("SELECT * FROM auth.erasure_counts(:tenant)"), {"tenant": tenant_id}):
        found.setdefault(row.kind, {})[row.name] = row.found
    return found


def finish(session: Session, tenant_id: UUID, body: str, signature: bytes) -> None:
    """Keep the certificate. The database refuses while it has a row of the tenant."""
    call = text("SELECT auth.finish_erasure(:tenant, :body, :signature)")
    session.execute(call, {"tenant": tenant_id, "body": body, "signature": signature})


def listed(
    session: Session, *, tenant_id: UUID | None = None, before: tuple[datetime, UUID] | None = None, most: int = 50
) -> list[ErasureRow]:
    """Return erasures, newest first, of one tenant or of all; `before` is the last one shown. The platform's."""
    at, last_id = before or (None, None)
    values: Mapping[str, Any] = {"tenant": tenant_id, "at": at, "id": last_id, "most": most}
    rows = session.execute(text("SELECT * FROM auth.staff_erasures(:tenant, :at, :id, :most)"), values)
    return [ErasureRow(**row._mapping) for row in rows]
