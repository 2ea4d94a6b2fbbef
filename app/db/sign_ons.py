"""Single sign-on in the directory: connections, proven domains, linked subjects, sign-ins under way."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.directory import one_row


@dataclass(frozen=True, slots=True)
class ConnectionView:
    """A connection of a tenant that is open, as the directory knows it."""

    tenant_id: UUID
    slug: str
    tenant_name: str
    status: str


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that went to a provider and came back; without a tenant it went to the platform's own."""

    purpose: str
    tenant_id: UUID | None
    user_id: UUID | None
    nonce: str
    verifier: str
    next: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """A person's account."""

    user_id: UUID
    email: str
    name: str
    verified: bool


@dataclass(frozen=True, slots=True)
class PendingLink:
    """A subject that a provider vouched for, to be linked to the account of its address once its password is shown."""

    user_id: UUID
    email: str
    name: str
    issuer: str
    subject: str
    connection_id: UUID | None
    tenant_id: UUID | None
    tenant_name: str | None
    role: str | None
    next: str | None


@dataclass(frozen=True, slots=True)
class KeptToken:
    """Where a session signs out of its provider, sealed: the address holds the ID token."""

    connection_id: UUID
    tenant_id: UUID
    sealed: bytes


def find_connection(session: Session, connection_id: UUID) -> ConnectionView | None:
    """Return whose connection this is, whatever its status; None where its tenant is closed."""
    row = one_row(session, "SELECT * FROM auth.find_connection(:id)", id=connection_id)
    return None if row is None else ConnectionView(**row._mapping)


def route_domain(session: Session, domain: str) -> UUID | None:
    """Return the connection that is on for addresses of this domain."""
    found: UUID | None = session.execute(text("SELECT auth.route_domain(:d)"), {"d": domain}).scalar_one()
    return found


def begin_flow(
    session: Session,
    state_hash: bytes,
    browser_hash: bytes,
    purpose: str,
    *,
    connection_id: UUID | None,
    tenant_id: UUID | None,
    user_id: UUID | None,
    nonce: str,
    verifier: str,
    target: str | None,
    lasts: timedelta,
) -> None:
    """Keep what the answer of a provider will be checked against, for `lasts`."""
    call = text(
        "SELECT auth.begin_sso(:hash, :browser, :purpose, :connection, :tenant, :user, :nonce, :verifier, :target, "
        ":lasts)"
    )
    values = {"hash": state_hash, "browser": browser_hash, "purpose": purpose, "connection": connection_id}
    values |= {"tenant": tenant_id, "user": user_id, "nonce": nonce, "verifier": verifier, "target": target}
    session.execute(call, {**values, "lasts": lasts})


def take_flow(session: Session, state_hash: bytes, browser_hash: bytes, connection_id: UUID | None) -> Flow | None:
    """Return the sign-in that this browser began with this connection, once."""
    call = "SELECT * FROM auth.take_sso(:hash, :browser, :connection)"
    row = one_row(session, call, hash=state_hash, browser=browser_hash, connection=connection_id)
    return None if row is None else Flow(**row._mapping)


def find_identity(session: Session, issuer: str, subject: str) -> Known | None:
    """Return the one account that a provider's subject is linked to."""
    row = one_row(session, "SELECT * FROM auth.find_identity(:issuer, :subject)", issuer=issuer, subject=subject)
    return None if row is None else Known(**row._mapping)


def find_account(session: Session, email: str) -> Known | None:
    """Return whose address this is. Only for what a provider vouched for: it tells who has an account."""
    row = one_row(session, "SELECT * FROM auth.find_account(:email)", email=email)
    return None if row is None else Known(**row._mapping)


def link_identity(session: Session, issuer: str, subject: str, user_id: UUID) -> bool:
    """Link a subject to an account; False where it is another's already."""
    call = text("SELECT auth.link_identity(:issuer, :subject, :user)")
    return bool(session.execute(call, {"issuer": issuer, "subject": subject, "user": user_id}).scalar_one())


def begin_link(session: Session, link_hash: bytes, browser_hash: bytes, link: PendingLink, *, lasts: timedelta) -> None:
    """Keep a link that waits for a password."""
    call = text(
        "SELECT auth.begin_sso_link(:hash, :browser, :user, :issuer, :subject, :connection, :tenant, :role, :next, "
        ":lasts)"
    )
    values: dict[str, object] = {"hash": link_hash, "browser": browser_hash, "user": link.user_id, "lasts": lasts}
    values |= {"issuer": link.issuer, "subject": link.subject, "connection": link.connection_id}
    session.execute(call, {**values, "tenant": link.tenant_id, "role": link.role, "next": link.next})


def pending_link(session: Session, link_hash: bytes, browser_hash: bytes) -> PendingLink | None:
    """Return a link that waits for a password, to the browser that it began in."""
    row = one_row(session, "SELECT * FROM auth.sso_link(:hash, :browser)", hash=link_hash, browser=browser_hash)
    return None if row is None else PendingLink(**row._mapping)


def mail_link(session: Session, link_hash: bytes, browser_hash: bytes, mail_hash: bytes, *, lasts: timedelta) -> bool:
    """Let the token of a mail confirm this link, and no earlier one; False where the link is gone."""
    call = text("SELECT auth.mail_sso_link(:hash, :browser, :mail, :lasts)")
    values = {"hash": link_hash, "browser": browser_hash, "mail": mail_hash, "lasts": lasts}
    return bool(session.execute(call, values).scalar_one())


def take_mailed_link(session: Session, link_hash: bytes, browser_hash: bytes, mail_hash: bytes) -> bool:
    """Use up a mail's token for the link that it was mailed for; False where it is none in force, or another's."""
    call = text("SELECT auth.take_mailed_link(:hash, :browser, :mail)")
    values = {"hash": link_hash, "browser": browser_hash, "mail": mail_hash}
    return bool(session.execute(call, values).scalar_one())


def drop_link(session: Session, link_hash: bytes) -> bool:
    """Take away a link that waited; False where another request did."""
    return bool(session.execute(text("SELECT auth.drop_sso_link(:hash)"), {"hash": link_hash}).scalar_one())


def keep_token(session: Session, token_hash: bytes, connection_id: UUID, tenant_id: UUID, sealed: bytes) -> None:
    """Keep, sealed, where a session signs out of its provider; it goes with the session."""
    call = text("SELECT auth.keep_sso_session(:hash, :connection, :tenant, :sealed)")
    session.execute(call, {"hash": token_hash, "connection": connection_id, "tenant": tenant_id, "sealed": sealed})


def kept_token(session: Session, token_hash: bytes) -> KeptToken | None:
    """Return, sealed, where a session signs out of its provider."""
    row = one_row(session, "SELECT * FROM auth.sso_session(:hash)", hash=token_hash)
    return None if row is None else KeptToken(**row._mapping)


def end_sso_sessions(session: Session) -> int:
    """End the sessions that the present tenant's connection alone opened; return how many."""
    return int(session.execute(text("SELECT auth.end_sso_sessions()")).scalar_one())
