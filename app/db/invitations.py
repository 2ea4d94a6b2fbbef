"""Invitations and mail of tenants in the directory; each a SECURITY DEFINER function."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.db.directory import one_row


@dataclass(frozen=True, slots=True)
class Invited:
    """What the holder of an invitation's link is asked; `has_account` tells whether the address has one."""

    tenant_id: UUID
    id: UUID
    email: str
    role: str
    inviter: str
    expires_at: datetime
    slug: str
    tenant_name: str
    has_account: bool


@dataclass(frozen=True, slots=True)
class InvitationWords:
    """What the mail of an invitation says."""

    tenant_name: str
    role: str
    inviter: str
    expires_at: datetime


def request_tenant_mail(session: Session, mail_id: UUID, kind: str, recipient: str, client: str | None) -> str | None:
    """Ask for a mail of the present tenant after the commit.

    None where it will be sent; else whose share is used up: "recipient", "tenant" or "client".
    """
    call = text("SELECT auth.request_tenant_mail(:id, :kind, :to, :client)")
    values = {"id": mail_id, "kind": kind, "to": recipient, "client": client}
    refused: str | None = session.execute(call, values).scalar_one()
    return refused


def peek_invitation(session: Session, token_hash: bytes) -> Invited | None:
    """Return the invitation of a token in force; nothing is changed."""
    row = one_row(session, "SELECT * FROM auth.peek_invitation(:hash)", hash=token_hash)
    return None if row is None else Invited(**row._mapping)


def issue_invitation(session: Session, mail_id: UUID, token_hash: bytes) -> InvitationWords | None:
    """Keep the hash of the token that this mail is about to carry; None where the mail is not wanted any more."""
    row = one_row(session, "SELECT * FROM auth.issue_invitation(:mail, :hash)", mail=mail_id, hash=token_hash)
    return None if row is None else InvitationWords(**row._mapping)


def mail_tenant(session: Session, mail_id: UUID) -> tuple[str, str] | None:
    """Return slug and name of the tenant that asked for a mail; None where it is closed. The worker's."""
    row = one_row(session, "SELECT slug, name FROM auth.mail_tenant(:mail)", mail=mail_id)
    return None if row is None else (row.slug, row.name)
