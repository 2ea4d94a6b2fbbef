"""Tokens for programs in the directory: signing keys, refresh tokens, held names; each a SECURITY DEFINER function."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.directory import Visitor, find_visitor, one_row


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key that signs now, its private part wrapped; `due` where another one should be added."""

    kid: str | None
    wrapped: bytes | None
    due: bool


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key by which tokens may be checked; it signs from `signs_from` until a newer one does."""

    kid: str
    public: bytes
    created_at: datetime
    signs_from: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """What spending a refresh token did: the family went on, or was ended because the token was `reused`."""

    session_id: UUID
    user_id: UUID
    tenant_id: UUID
    reused: bool


def signing_key(session: Session, most_age: timedelta) -> SigningKey:
    """Return the key that signs now; another is due where it is older than `most_age` and none waits."""
    row = session.execute(text("SELECT * FROM auth.signing_key(:age)"), {"age": most_age}).one()
    return SigningKey(row.kid, row.wrapped, row.due)


def add_signing_key(
    session: Session, kid: str, wrapped: bytes, public: bytes, *, lead: timedelta, most_age: timedelta
) -> bool:
    """Publish a key, which signs after `lead`, at once where none signs. False where one waits or is younger."""
    call = text("SELECT auth.add_signing_key(:kid, :wrapped, :public, :lead, :age)")
    values = {"kid": kid, "wrapped": wrapped, "public": public, "lead": lead, "age": most_age}
    return bool(session.execute(call, values).scalar_one())


def published_keys(session: Session, over: timedelta) -> list[PublishedKey]:
    """Return the keys that may have signed a token in force, newest first.

    One is left out when its successor has signed for longer than `over`.
    """
    rows = session.execute(text("SELECT * FROM auth.published_keys(:over)"), {"over": over})
    return [PublishedKey(**row._mapping) for row in rows]


def revoke_signing_keys(session: Session, kid: str | None) -> int:
    """Refuse what the key (None: any key) has signed, from the next request on; return how many keys."""
    return int(session.execute(text("SELECT auth.revoke_signing_keys(:kid)"), {"kid": kid}).scalar_one())


def begin_family(
    session: Session, session_hash: bytes, tenant_id: UUID, token_hash: bytes, *, lasts: timedelta, most: timedelta
) -> None:
    """Make a session just opened a program's in one tenant, and keep its first refresh token.

    The session's own token opens nothing from here on. Refresh tokens last for `lasts`, the family for `most`.
    """
    call = text("SELECT auth.begin_family(:old, :tenant, :hash, :lasts, :most)")
    values = {"old": session_hash, "tenant": tenant_id, "hash": token_hash, "lasts": lasts, "most": most}
    session.execute(call, values)


def spend_refresh_token(session: Session, token_hash: bytes, next_hash: bytes, lasts: timedelta) -> Spent | None:
    """Put the next token in the place of one in force. None where there is none such."""
    call = "SELECT * FROM auth.spend_refresh_token(:hash, :next, :lasts)"
    row = one_row(session, call, hash=token_hash, next=next_hash, lasts=lasts)
    return None if row is None else Spent(**row._mapping)


def end_family(session: Session, token_hash: bytes) -> UUID | None:
    """End the family of a refresh token, spent or not; return whose it was."""
    found: UUID | None = session.execute(text("SELECT auth.end_family(:hash)"), {"hash": token_hash}).scalar_one()
    return found


def begin_token(session: Session, kid: str, session_id: UUID, user_id: UUID, tenant_id: UUID) -> Visitor | None:
    """Return who holds a token signed by `kid`, and set its tenant if the person is a member of it: one round trip."""
    call = "SELECT * FROM auth.begin_token(:kid, :id, :user, :tenant)"
    return find_visitor(session, call, kid=kid, id=session_id, user=user_id, tenant=tenant_id)


def hold_slug(session: Session, slug: str) -> None:
    """Let nobody else have this slug, as if a tenant had it."""
    session.execute(text("SELECT auth.hold_slug(:slug)"), {"slug": slug})


def account_programs(session: Session, token_hash: bytes) -> dict[UUID, str]:
    """Return which sessions of whoever asks are programs', each with its tenant's name."""
    rows = session.execute(text("SELECT * FROM auth.account_programs(:hash)"), {"hash": token_hash})
    return {row.session_id: row.tenant_name for row in rows}


def note_signing_keys(session: Session, event_id: UUID, action: str, reason: str) -> None:
    """Write into the staff's log that a command rotated (signing-key.rotate) or revoked (signing-key.revoke) keys."""
    call = text("SELECT auth.note_signing_keys(:id, :action, :reason)")
    session.execute(call, {"id": event_id, "action": action, "reason": reason})
