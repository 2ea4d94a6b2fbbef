"""The platform's staff in the directory: signing in, what they order, what the worker counts for them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class StaffLogin:
    """What a member of staff's sign-in is checked against; without an id for an unknown address."""

    staff_id: UUID | None
    name: str | None
    password_hash: str | None
    factor: bytes | None
    locked: bool


@dataclass(frozen=True, slots=True)
class Member:
    """A member of staff who is signed in since then, or whom a command names."""

    id: UUID
    email: str
    name: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class StaffAccount:
    """A member of staff, in force or not."""

    email: str
    name: str
    created_at: datetime
    disabled_at: datetime | None
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Order:
    """What staff asked for, in the hands of the worker; `attempts` counts from 1."""

    id: UUID
    tenant_id: UUID
    staff_id: UUID | None
    staff_label: str
    action: str
    reason: str
    detail: dict[str, Any]
    address: str | None
    agent: str | None
    request_id: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it is given: by whom, for which tenant, what and why."""

    id: UUID
    staff_id: UUID | None
    staff_label: str
    tenant_id: UUID
    action: str
    reason: str
    detail: Mapping[str, Any]
    address: str | None
    agent: str | None
    request_id: str | None


def invite(session: Session, token_hash: bytes, email: str, lasts: timedelta) -> None:
    """Keep a one-use link's hash, which makes a member of staff of whoever holds the link."""
    call = text("SELECT auth.staff_invite(:hash, :email, :lasts)")
    session.execute(call, {"hash": token_hash, "email": email, "lasts": lasts})


def peek_link(session: Session, token_hash: bytes) -> str | None:
    """Return the address that a link in force is for; nothing is changed."""
    found: str | None = session.execute(text("SELECT auth.staff_peek_link(:hash)"), {"hash": token_hash}).scalar_one()
    return found


def redeem_link(
    session: Session, token_hash: bytes, staff_id: UUID, *, name: str, password_hash: str, factor: bytes, step: int
) -> tuple[UUID, str] | None:
    """Make the member of staff, or set their password and factor anew. None where the link is not in force."""
    row = session.execute(
        text("SELECT staff_id, email FROM auth.staff_redeem_link(:hash, :id, :name, :password, :factor, :step)"),
        {"hash": token_hash, "id": staff_id, "name": name, "password": password_hash, "factor": factor, "step": step},
    ).one_or_none()
    return None if row is None else (row.staff_id, row.email)


def find_login(session: Session, email: str) -> StaffLogin:
    """Return what a sign-in with this address is checked against."""
    row = session.execute(text("SELECT * FROM auth.staff_find_login(:email)"), {"email": email}).one()
    return StaffLogin(**row._mapping)


def note_failure(session: Session, email: str) -> None:
    """Count a failed sign-in; the fifth in a row locks for 30 seconds, each further one for twice as long."""
    session.execute(text("SELECT auth.staff_note_failure(:email)"), {"email": email})


def open_session(
    session: Session,
    staff_id: UUID,
    *,
    step: int,
    token_hash: bytes,
    session_id: UUID,
    lasts: timedelta,
    idle: timedelta,
    address: str | None,
    agent: str | None,
) -> bool:
    """Open a session by a code of the time step `step`; False where that code, or a later one, was used before."""
    call = text("SELECT auth.staff_open_session(:staff, :step, :hash, :id, :lasts, :idle, :address, :agent)")
    values = {"staff": staff_id, "step": step, "hash": token_hash, "id": session_id, "lasts": lasts, "idle": idle}
    return bool(session.execute(call, {**values, "address": address, "agent": agent}).scalar_one())


def member(session: Session, token_hash: bytes) -> Member | None:
    """Return who is signed in with this token."""
    row = session.execute(text("SELECT * FROM auth.staff_session(:hash)"), {"hash": token_hash}).one_or_none()
    return None if row is None else Member(row.staff_id, row.email, row.name, row.since)


def close_session(session: Session, token_hash: bytes) -> None:
    """End a session."""
    session.execute(text("SELECT auth.staff_close_session(:hash)"), {"hash": token_hash})


def disable(session: Session, email: str) -> bool:
    """Let a member of staff in no more, and end their sessions; False where there is none."""
    return bool(session.execute(text("SELECT auth.staff_disable(:email)"), {"email": email}).scalar_one())


def list_staff(session: Session) -> list[StaffAccount]:
    """Return all members of staff, by address."""
    return [StaffAccount(**row._mapping) for row in session.execute(text("SELECT * FROM auth.staff_list()"))]


_ORDER = text(
    "SELECT auth.staff_order(:id, :staff, :who, :tenant, :action, :reason, :detail, :address, :agent, :request)"
).bindparams(bindparam("detail", type_=JSONB()), bindparam("reason", type_=Text()))


def order(session: Session, given: NewOrder) -> bool:
    """Put an order on record; a suspension holds with the commit. False for no such tenant or no such move."""
    values = {
        "id": given.id,
        "staff": given.staff_id,
        "who": given.staff_label,
        "tenant": given.tenant_id,
        "action": given.action,
        "reason": given.reason,
        "detail": dict(given.detail),
        "address": given.address,
        "agent": given.agent,
        "request": given.request_id,
    }
    return bool(session.execute(_ORDER, values).scalar_one())


def claim_orders(session: Session, most: int, lease: timedelta) -> list[Order]:
    """Take the oldest order of each tenant, at most `most`, until `lease` is over. The worker's."""
    rows = session.execute(text("SELECT * FROM auth.claim_orders(:most, :lease)"), {"most": most, "lease": lease})
    return [Order(**row._mapping) for row in rows]


def settle_order(session: Session, order_id: UUID, *, again: timedelta | None, problem: str | None) -> None:
    """Mark an order as done (with what was wrong, if it was refused), or as due again. The worker's."""
    call = text("SELECT auth.settle_order(:id, :again, :problem)")
    session.execute(call, {"id": order_id, "again": again, "problem": problem})


def trials_over(session: Session, most: int) -> list[UUID]:
    """Return tenants whose trial has ended. The worker's."""
    return list(session.scalars(text("SELECT auth.trials_over(:most)"), {"most": most}))


def claim_counts(session: Session, most: int, *, lease: timedelta, fresh: timedelta, old: timedelta) -> list[UUID]:
    """Take tenants whose use is to be counted: what was counted `old` ago, or `fresh` ago and something happened since.

    The worker's.
    """
    values = {"most": most, "lease": lease, "fresh": fresh, "old": old}
    return list(session.scalars(text("SELECT auth.claim_counts(:most, :lease, :fresh, :old)"), values))


_COUNT = text("SELECT auth.note_count(:tenant, :percent, :quota, :risky, :lines)").bindparams(
    bindparam("lines", type_=JSONB())
)


def note_count(
    session: Session,
    tenant_id: UUID,
    lines: list[dict[str, Any]],
    *,
    percent: int | None,
    quota: str | None,
    risky: bool,
) -> None:
    """Write down what a tenant uses of its plan: numbers alone. The worker's."""
    values = {"tenant": tenant_id, "percent": percent, "quota": quota, "risky": risky, "lines": lines}
    session.execute(_COUNT, values)


def note_worker(session: Session, name: str) -> None:
    """Write down that a worker lives. The worker's."""
    session.execute(text("SELECT auth.note_worker(:name)"), {"name": name})


def trials_ending(session: Session, most: int) -> list[UUID]:
    """Return tenants whose owners are to be reminded of the trial's end. The worker's."""
    return list(session.scalars(text("SELECT auth.trials_ending(:most)"), {"most": most}))


def overrides_over(session: Session, most: int) -> list[tuple[UUID, UUID]]:
    """Return tenant and id of overrides whose end has come. The worker's."""
    rows = session.execute(text("SELECT * FROM auth.overrides_over(:most)"), {"most": most})
    return [(row.tenant_id, row.id) for row in rows]


def domains_to_look_at(session: Session, most: int) -> list[tuple[UUID, UUID]]:
    """Return tenant and id of proven e-mail domains whose record is to be looked for again. The worker's."""
    rows = session.execute(text("SELECT * FROM auth.domains_to_look_at(:most)"), {"most": most})
    return [(row.tenant_id, row.domain_id) for row in rows]


def keys_to_come_in(session: Session, most: int) -> list[UUID]:
    """Return tenants with a key beyond the plan and a place that an expired key has left. The worker's."""
    return list(session.scalars(text("SELECT auth.keys_to_come_in(:most)"), {"most": most}))


def keys_expiring(session: Session, most: int) -> list[UUID]:
    """Return tenants with an API key whose end is to be told of today. The worker's."""
    return list(session.scalars(text("SELECT auth.keys_expiring(:most)"), {"most": most}))
