"""Proofs given anew at a provider, in the directory: whom it vouched for, and people on their way there and back."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.directory import one_row


@dataclass(frozen=True, slots=True)
class Vouched:
    """A session that a provider opened; without a connection it was the platform's own."""

    user_id: UUID
    methods: tuple[str, ...]
    connection_id: UUID | None
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class StepUp:
    """What the answer of a provider that was asked anew is checked against."""

    issuer: str
    subject: str
    nonce: str
    verifier: str
    next: str | None
    asked_at: datetime


def keep_subject(
    session: Session, token_hash: bytes, connection_id: UUID | None, issuer: str, subject: str, proved_at: datetime
) -> None:
    """Keep who opened a session; its proof is as old as `proved_at`, and never younger than now."""
    call = text("SELECT auth.keep_session_subject(:hash, :connection, :issuer, :subject, :proved)")
    values = {"hash": token_hash, "connection": connection_id, "issuer": issuer, "subject": subject}
    session.execute(call, {**values, "proved": proved_at})


def subject_of(session: Session, token_hash: bytes) -> Vouched | None:
    """Return whom a provider vouched for when it opened the session; None where none did."""
    row = one_row(session, "SELECT * FROM auth.session_subject(:hash)", hash=token_hash)
    return None if row is None else Vouched(**{**row._mapping, "methods": tuple(row.methods)})


def begin_step_up(
    session: Session,
    state_hash: bytes,
    browser_hash: bytes,
    token_hash: bytes,
    *,
    nonce: str,
    verifier: str,
    target: str | None,
    asked_at: datetime,
    lasts: timedelta,
) -> None:
    """Keep what the answer will be checked against, for the person and the provider of this session."""
    call = text("SELECT auth.begin_step_up(:hash, :browser, :token, :nonce, :verifier, :target, :asked, :lasts)")
    values: dict[str, object] = {"hash": state_hash, "browser": browser_hash, "token": token_hash, "nonce": nonce}
    session.execute(call, {**values, "verifier": verifier, "target": target, "asked": asked_at, "lasts": lasts})


def take_step_up(
    session: Session, state_hash: bytes, browser_hash: bytes, connection_id: UUID | None, token_hash: bytes
) -> StepUp | None:
    """Return the step-up that this browser and session began with this connection, once."""
    call = "SELECT * FROM auth.take_step_up(:hash, :browser, :connection, :token)"
    values = {"hash": state_hash, "browser": browser_hash, "connection": connection_id, "token": token_hash}
    row = one_row(session, call, **values)
    return None if row is None else StepUp(**row._mapping)
