"""Mail to people about their accounts: what is sent when, and its words.

A request for a mail names a kind and an address, no secret. The token in its link is made when the mail is sent: from
the mail's id under the pepper, so that a second delivery is the same message, and only its hash is kept.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.core import crypto
from app.core.errors import TooManyRequests
from app.core.ids import new_id
from app.core.settings import Settings
from app.db import invitations, people
from app.db.people import DueMail
from app.db.units import Doorway, Unit

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "mail"


@dataclass(frozen=True, slots=True)
class Kind:
    """A mail: its subject; the page of its link and how long the token in it is good for, if it has one."""

    subject: str
    page: str | None = None
    lasts: timedelta = timedelta(0)
    good_for: str = ""


KINDS: dict[str, Kind] = {
    "verification": Kind("Confirm your e-mail address", "verification", timedelta(days=3), "three days"),
    "known": Kind("You already have an account"),
    "reset": Kind("Set a new password", "reset", timedelta(hours=1), "an hour"),
    "unlock": Kind("Sign-in is locked for a while", "unlock", timedelta(hours=4), "four hours"),
    "email-old": Kind("Confirm that your address changes", "email-old", timedelta(days=1), "a day"),
    "email-new": Kind("Confirm your new e-mail address", "email-new", timedelta(days=1), "a day"),
    "email-changed": Kind("Your e-mail address was changed"),
    "password-changed": Kind("Your password was changed"),
    "notice": Kind("About your tenant"),
    "account-deleted": Kind("Your account was deleted"),
    "factors-changed": Kind("Your second factors were used or changed"),
    "sso-link": Kind("Confirm your company's sign-in", "sso-link", timedelta(minutes=15), "15 minutes"),
    "sso-linked": Kind("A company's sign-in opens your account"),
    "invitation": Kind("You are invited to {tenant}", "invitation", timedelta(days=7), "seven days"),
    "ownership-offer": Kind("You are offered the ownership of {tenant}"),
}
OF_TENANTS = frozenset({"invitation", "ownership-offer"})
SHARES = {
    "recipient": "This address has had several mails lately. Wait an hour.",
    "tenant": "This tenant has sent 200 mails within a day. Go on tomorrow.",
    "client": "Too many mails were asked for from your address. Wait an hour.",
}


def request(
    door: Doorway,
    kind: str,
    recipient: str,
    *,
    user_id: UUID | None,
    client: str | None,
    mail_id: UUID | None = None,
) -> bool:
    """Ask for a mail after the commit. False where recipient or client had as many as they may (nothing is sent).

    `mail_id` where the token of its link has to be known beforehand.
    """
    if kind not in KINDS or any(ord(character) < 32 for character in recipient):
        raise ValueError("no such mail")
    return people.request_mail(door.session, kind, recipient, user_id=user_id, client=client, mail_id=mail_id)


def request_of_tenant(unit: Unit, kind: str, recipient: str) -> UUID:
    """Ask for a mail of the unit's tenant after the commit; return its id. Raises TooManyRequests."""
    mail_id = new_id()
    share = invitations.request_tenant_mail(unit.session, mail_id, kind, recipient, unit.actor.address)
    if share is not None:
        raise TooManyRequests(SHARES[share])
    return mail_id


def compose(door: Doorway, mail: DueMail, settings: Settings) -> EmailMessage | None:
    """Return the message of `mail`, with the hash of its token kept; None where nothing is to be sent.

    That is so for a password reset of an address that nobody has: asking for it looks the same to whoever asks.
    """
    kind = mail.kind
    if kind in OF_TENANTS:
        return _of_tenant(door, mail, settings)
    found = people.find_person(door.session, mail.recipient)
    facts: dict[str, Any] = {"new_email": "", "old_email": ""}
    if kind == "notice":
        about = people.notice_facts(door.session, mail.id)
        if about is None:
            return None
        facts |= about | {"name": found[1] if found else ""}
        owner = mail.user_id or mail.id
    elif kind == "email-new":
        if found is not None:
            kind, facts["name"], owner = "known", found[1], found[0]
        else:
            changing = people.person_changing(door.session, mail.user_id, mail.recipient) if mail.user_id else None
            if changing is None or mail.user_id is None:
                return None
            owner, facts["name"], facts["old_email"] = mail.user_id, changing[0], changing[1]
    elif kind == "email-changed" and mail.user_id is not None:
        owner, facts["name"] = mail.user_id, ""
    elif kind == "account-deleted":
        owner, facts["name"] = mail.id, ""  # whoever it was is gone
    elif found is None:
        return None
    else:
        owner, facts["name"], facts["new_email"] = found[0], found[1], found[2] or ""
    return _message(door, mail, kind, owner, facts, settings)


def _message(
    door: Doorway, mail: DueMail, kind: str, owner: UUID, facts: dict[str, Any], settings: Settings
) -> EmailMessage:
    what = KINDS[kind]
    link = None
    if what.page is not None:
        token = mail_token(mail.id, settings)
        expires = mail.created_at + what.lasts
        people.issue_token(door.session, crypto.token_hash(token), what.page, owner, mail.recipient, expires)
        link = f"{settings.base_url}/{what.page}/{token}"
    return _letter(mail, kind, {"subject": what.subject, **facts, "link": link}, settings)


def _of_tenant(door: Doorway, mail: DueMail, settings: Settings) -> EmailMessage | None:
    """Return the message of a mail that a tenant asked for; None where its reason is gone."""
    facts: dict[str, Any] = {"name": "", "link": None}
    if mail.kind == "invitation":
        token = mail_token(mail.id, settings)
        words = invitations.issue_invitation(door.session, mail.id, crypto.token_hash(token))
        if words is None:
            return None
        facts |= {"tenant": words.tenant_name, "role": words.role, "inviter": words.inviter}
        facts["link"] = f"{settings.base_url}/invitation/{token}"
    else:
        tenant = invitations.mail_tenant(door.session, mail.id)
        if tenant is None:
            return None
        facts |= {"tenant": tenant[1], "page": f"{settings.base_url}/t/{tenant[0]}/ownership"}
    facts["subject"] = KINDS[mail.kind].subject.format(tenant=facts["tenant"])
    return _letter(mail, mail.kind, facts, settings)


def _letter(mail: DueMail, kind: str, facts: dict[str, Any], settings: Settings) -> EmailMessage:
    facts = {**facts, "good_for": KINDS[kind].good_for, "base_url": settings.base_url}
    host = urlsplit(settings.base_url).hostname or "localhost"
    message = EmailMessage()
    message["Subject"] = facts["subject"]
    message["From"] = settings.mail_from or f"Sentinel <no-reply@{host}>"
    message["To"] = mail.recipient
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.id}@{host}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_templates().get_template(f"{kind}.txt").render(facts))
    message.add_alternative(_templates().get_template(f"{kind}.html").render(facts), subtype="html")
    return message


def mail_token(mail_id: UUID, settings: Settings) -> str:
    """Return the token of a mail's link: 256 bits that only the holder of the pepper can tell."""
    pepper = settings.peppers[0]
    digest = hmac.new(pepper, b"mail token:" + mail_id.bytes, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
