"""People's accounts in the directory: mail to them, one-time tokens, sessions; each a SECURITY DEFINER function."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.directory import one_row


@dataclass(frozen=True, slots=True)
class Account:
    """The account of whoever holds a session, and the change of address under way, if any."""

    user_id: UUID
    session_id: UUID
    email: str
    name: str
    password_hash: str
    verified_at: datetime | None
    created_at: datetime
    new_email: str | None
    old_confirmed: bool | None
    new_confirmed: bool | None


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One sign-in that is in force; `current` is the one that asks."""

    id: UUID
    created_at: datetime
    used_at: datetime
    address: str | None
    agent: str | None
    methods: tuple[str, ...]
    current: bool


@dataclass(frozen=True, slots=True)
class AccountEvent:
    """Something that was done to an account, from where."""

    at: datetime
    action: str
    address: str | None
    agent: str | None


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What the confirmation of a change of address did; `done` when it was the second one."""

    user_id: UUID
    old_email: str
    new_email: str
    done: bool


@dataclass(frozen=True, slots=True)
class DueMail:
    """A mail that this process may send until its lease ends; `attempt` counts from 1."""

    id: UUID
    kind: str
    recipient: str
    user_id: UUID | None
    created_at: datetime
    attempt: int


def request_mail(
    session: Session,
    kind: str,
    recipient: str,
    *,
    user_id: UUID | None,
    client: str | None,
    mail_id: UUID | None = None,
) -> bool:
    """Ask for a mail after the commit; False where the recipient or the client has had as many as they may."""
    call = text("SELECT auth.request_mail(:id, :kind, :to, :user, :client)")
    values = {"id": mail_id or new_id(), "kind": kind, "to": recipient, "user": user_id, "client": client}
    return bool(session.execute(call, values).scalar_one())


def peek_token(session: Session, token_hash: bytes, purpose: str) -> str | None:
    """Return the address that a token in force was mailed to; nothing is changed."""
    call = text("SELECT auth.peek_token(:hash, :purpose)")
    found: str | None = session.execute(call, {"hash": token_hash, "purpose": purpose}).scalar_one()
    return found


def redeem_verification(session: Session, token_hash: bytes) -> UUID | None:
    """Mark the address as its person's. None where the token is not in force."""
    row = one_row(session, "SELECT user_id FROM auth.redeem_verification(:hash)", hash=token_hash)
    return None if row is None else row.user_id


def redeem_reset(session: Session, token_hash: bytes, password_hash: str) -> tuple[UUID, str] | None:
    """Set the password, and end all sessions and tokens of the person. None where the token is not in force."""
    call = "SELECT user_id, email FROM auth.redeem_reset(:hash, :password)"
    row = one_row(session, call, hash=token_hash, password=password_hash)
    return None if row is None else (row.user_id, row.email)


def redeem_unlock(session: Session, token_hash: bytes) -> UUID | None:
    """Forget the failed sign-ins. None where the token is not in force."""
    found: UUID | None = session.execute(text("SELECT auth.redeem_unlock(:hash)"), {"hash": token_hash}).scalar_one()
    return found


def redeem_email_change(session: Session, token_hash: bytes, purpose: str) -> Confirmed | None:
    """Confirm one side of a change of address. None where the token or the change is not in force."""
    row = one_row(session, "SELECT * FROM auth.redeem_email_change(:hash, :purpose)", hash=token_hash, purpose=purpose)
    return None if row is None else Confirmed(row.user_id, row.old_email, row.new_email, row.done)


def account_of(session: Session, token_hash: bytes) -> Account | None:
    """Return the account of whoever holds the session."""
    row = one_row(session, "SELECT * FROM auth.account_of(:hash)", hash=token_hash)
    return None if row is None else Account(**row._mapping)


def account_sessions(session: Session, token_hash: bytes) -> list[OpenSession]:
    """Return the person's sessions, the present one first, then by last use; 200 at most."""
    rows = session.execute(text("SELECT * FROM auth.account_sessions(:hash)"), {"hash": token_hash})
    return [OpenSession(**{**row._mapping, "methods": tuple(row.methods)}) for row in rows]


def end_session(session: Session, token_hash: bytes, session_id: UUID) -> bool:
    """End one of the person's sessions; False where it is none of theirs."""
    call = text("SELECT auth.end_session(:hash, :id)")
    return bool(session.execute(call, {"hash": token_hash, "id": session_id}).scalar_one())


def end_other_sessions(session: Session, token_hash: bytes) -> int:
    """End all the person's sessions but this one; return how many."""
    return int(session.execute(text("SELECT auth.end_other_sessions(:hash)"), {"hash": token_hash}).scalar_one())


def rename_account(session: Session, token_hash: bytes, name: str) -> None:
    """Give the person another name."""
    session.execute(text("SELECT auth.rename_account(:hash, :name)"), {"hash": token_hash, "name": name})


def change_password(session: Session, token_hash: bytes, old_hash: str, new_hash: str) -> bool:
    """Put a new password in place of the one that was checked; False where it changed meanwhile."""
    call = text("SELECT auth.change_password(:hash, :old, :new)")
    return bool(session.execute(call, {"hash": token_hash, "old": old_hash, "new": new_hash}).scalar_one())


def begin_email_change(session: Session, token_hash: bytes, email: str, lasts: timedelta) -> None:
    """Begin to change the address, in place of any change under way."""
    call = text("SELECT auth.begin_email_change(:hash, :email, :lasts)")
    session.execute(call, {"hash": token_hash, "email": email, "lasts": lasts})


def drop_email_change(session: Session, token_hash: bytes) -> None:
    """Give up the change of address that is under way."""
    session.execute(text("SELECT auth.drop_email_change(:hash)"), {"hash": token_hash})


def note_account(session: Session, user_id: UUID, action: str, address: str | None, agent: str | None) -> None:
    """Write down what was done to an account."""
    call = text("SELECT auth.note_account(:id, :user, :action, :address, :agent)")
    values = {"id": new_id(), "user": user_id, "action": action, "address": address, "agent": agent}
    session.execute(call, values)


def account_events(session: Session, token_hash: bytes) -> list[AccountEvent]:
    """Return the last 20 things that were done to the account, newest first."""
    rows = session.execute(text("SELECT * FROM auth.account_events(:hash)"), {"hash": token_hash})
    return [AccountEvent(**row._mapping) for row in rows]


def account_history(session: Session, token_hash: bytes) -> list[AccountEvent]:
    """Return all that was done to the account, oldest first."""
    rows = session.execute(text("SELECT * FROM auth.account_history(:hash)"), {"hash": token_hash})
    return [AccountEvent(**row._mapping) for row in rows]


def erase_account(session: Session, user_id: UUID) -> bool:
    """Erase a person who belongs to no tenant, with sessions, factors and history; False where that is not so."""
    return bool(session.execute(text("SELECT auth.erase_account(:user)"), {"user": user_id}).scalar_one())


def account_tenants(session: Session, user_id: UUID) -> list[UUID]:
    """Return the tenants that the person belongs to."""
    return list(session.scalars(text("SELECT auth.account_tenants(:user)"), {"user": user_id}))


def provision_user(
    session: Session, email: str, name: str, password_hash: str, *, known: UUID | None = None
) -> tuple[UUID, bool]:
    """Return the account `known`, else that of an address, made now where there was none; and whether it is confirmed.

    An account that was there is left as it is.
    """
    call = text("SELECT * FROM auth.provision_user(:known, :id, :email, :name, :hash)")
    values = {"known": known, "id": new_id(), "email": email, "name": name, "hash": password_hash}
    row = session.execute(call, values).one()
    return row.user_id, row.verified


def claim_mails(session: Session, most: int, lease: timedelta) -> list[DueMail]:
    """Take the mails that have been due for longest, until `lease` is over. The worker's."""
    rows = session.execute(text("SELECT * FROM auth.claim_mails(:most, :lease)"), {"most": most, "lease": lease})
    return [DueMail(row.id, row.kind, row.recipient, row.user_id, row.created_at, row.attempts) for row in rows]


def settle_mail(session: Session, mail_id: UUID, *, again: timedelta | None, problem: str | None) -> None:
    """Mark a mail as done, or as due again after `again`. The worker's."""
    call = text("SELECT auth.settle_mail(:id, :again, :problem)")
    session.execute(call, {"id": mail_id, "again": again, "problem": problem})


def sweep_accounts(session: Session) -> None:
    """Remove mails, tokens, counted failures and sessions that are long over. The worker's."""
    session.execute(text("SELECT auth.sweep_accounts()"))


def find_person(session: Session, email: str) -> tuple[UUID, str, str | None] | None:
    """Return id, name and the address that is being changed to of whoever has this one. The worker's."""
    row = one_row(session, "SELECT user_id, name, new_email FROM auth.find_person(:email)", email=email)
    return None if row is None else (row.user_id, row.name, row.new_email)


def person_changing(session: Session, user_id: UUID, email: str) -> tuple[str, str] | None:
    """Return name and present address of a person who is changing to `email`. The worker's."""
    row = one_row(session, "SELECT name, old_email FROM auth.person_changing(:user, :email)", user=user_id, email=email)
    return None if row is None else (row.name, row.old_email)


def notice_facts(session: Session, mail_id: UUID) -> dict[str, Any] | None:
    """Return what a notice says: subject, lines, url. The worker's."""
    found: dict[str, Any] | None = session.scalar(text("SELECT auth.notice_facts(:id)"), {"id": mail_id})
    return found


def issue_token(
    session: Session, token_hash: bytes, purpose: str, user_id: UUID, email: str, expires_at: datetime
) -> None:
    """Keep the hash of a token that is about to be mailed; one that is known stays as it is. The worker's."""
    call = text("SELECT auth.issue_token(:hash, :purpose, :user, :email, :until)")
    values = {"hash": token_hash, "purpose": purpose, "user": user_id, "email": email, "until": expires_at}
    session.execute(call, values)
