"""Invitations by mail: one or many at once, listed while open, sent again, revoked. Accepting them: `acceptances`.

The link's token is made when the mail is sent; only its hash is kept, in the directory. It holds for 7 days and for the
address that it was sent to; sending again voids the link of before.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr
from uuid import UUID

from sqlalchemy import func, select

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied, QuotaExceeded, TooManyRequests
from app.core.permissions import Permission, Role, role_named
from app.db.units import Unit
from app.models.accounts import Invitation, Membership
from app.services import audit, mails
from app.services.access import require
from app.services.accounts import normal_email
from app.services.authorities import require_givable, require_manageable
from app.services.memberships import AlreadyMember, lock_memberships
from app.services.pages import Page, newest_first
from app.services.plans import Quota, entitlements
from app.services.quotas import count_rows_of, exceeded

LASTS = timedelta(days=7)
MOST_AT_ONCE = 100
HEADINGS = {"email", "e-mail", "address", "mail"}


class AlreadyInvited(Conflict):
    """The address has an open invitation."""

    code, title = "already-invited", "Already invited"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one address of a list; `problem` is a sentence where it was not invited."""

    given: str
    role: str
    invitation: Invitation | None
    problem: str | None


def invite(unit: Unit, email: str, role: Role) -> Invitation:
    """Invite an address to a role and mail its link. Needs tenant:people:write; nobody invites to what they lack.

    Raises Invalid for what is no address, AlreadyMember, AlreadyInvited, PermissionDenied, QuotaExceeded where no seat
    is left besides those of members and open invitations, and TooManyRequests where recipient, tenant or client have
    had their share of mails.
    """
    require(unit, Permission.PEOPLE_WRITE)
    require_givable(unit, role)
    try:
        address = normal_email(email)
    except ValueError as error:
        raise Invalid(fields={"email": "not an e-mail address"}) from error
    lock_memberships(unit)
    if unit.session.scalar(select(Membership.id).where(Membership.email == address)):
        raise AlreadyMember(f"{address} is a member already.")
    if unit.session.scalar(select(Invitation.id).where(Invitation.email == address, Invitation.ended_at.is_(None))):
        raise AlreadyInvited(f"{address} is invited already. Send that invitation again instead.")
    _require_seat(unit)
    return _write(unit, address, role)


def _require_seat(unit: Unit) -> None:
    """Return if a seat is left besides those of members and open invitations. Raises QuotaExceeded."""
    allowed = entitlements(unit)
    limit, taken = allowed.quotas[Quota.SEATS], count_rows_of(unit, Quota.SEATS) + count_open(unit)
    if limit is not None and taken >= limit:
        raise exceeded(allowed, Quota.SEATS, taken, limit)


def _write(unit: Unit, address: str, role: Role) -> Invitation:
    now, actor = unit.now(), unit.actor
    if actor.id is None:
        raise PermissionDenied("Nobody in particular invites nobody.")
    invitation = Invitation(
        email=address,
        role=role,
        inviter_id=actor.id,
        inviter_kind=actor.kind,
        inviter_label=actor.label,
        mail_id=mails.request_of_tenant(unit, "invitation", address),
        created_at=now,
        sent_at=now,
        expires_at=now + LASTS,
    )
    unit.session.add(invitation)
    unit.session.flush()
    after = {"email": address, "role": str(role)}
    audit.record(unit, "invitation.send", "invitation", invitation.id, after=after)
    return invitation


def invite_many(unit: Unit, text: str, role: Role) -> list[Fate]:
    """Invite every address of a pasted list or CSV, and tell what became of each, in the order given.

    A line holds an address (also as "Name <address>") or several; a role in the same line stands in place of `role`.
    A heading is skipped; the first 100 are taken. Needs tenant:people:write. Raises Invalid for an empty list.
    """
    require(unit, Permission.PEOPLE_WRITE)
    entries, seen = list(_entries(text)), set[str]()
    if not entries:
        raise Invalid(fields={"addresses": "write at least one address"})
    fates = [_one(unit, given[:320], named or str(role), seen) for given, named in entries[:MOST_AT_ONCE]]
    if (further := len(entries) - MOST_AT_ONCE) > 0:
        fates.append(Fate(f"{further} further", str(role), None, f"At most {MOST_AT_ONCE} at once: list them anew."))
    return fates


def _one(unit: Unit, given: str, role: str, seen: set[str]) -> Fate:
    try:
        wanted = role_named(role)
    except ValueError:
        return Fate(given, role, None, "There is no such role.")
    key = given.lower()
    if key in seen:
        return Fate(given, role, None, "Stands in the list above already.")
    seen.add(key)
    try:
        return Fate(given, role, invite(unit, given, wanted), None)
    except Invalid:
        return Fate(given, role, None, "Not an e-mail address.")
    except (AlreadyMember, AlreadyInvited, TooManyRequests, QuotaExceeded, PermissionDenied) as error:
        return Fate(given, role, None, error.detail)


def _entries(text: str) -> Iterator[tuple[str, str | None]]:
    """Yield each address as it was written, with the role of its line, if it names one."""
    lines = [line.strip()[:2000] for line in text.replace("\x00", "").splitlines() if line.strip()]
    for number, line in enumerate(lines):
        row = next(csv.reader([line.replace(";", ",").replace("\t", ",")]))
        cells = [cell.strip() for cell in row if cell.strip()]
        written = [parseaddr(cell)[1] if "<" in cell else cell for cell in cells if "@" in cell]
        others = [cell.lower() for cell in cells if "@" not in cell]
        if not cells or (number == 0 and not written and HEADINGS & set(others)):
            continue
        role = next((other for other in others if other in {*Role, "member"}), None)
        if role is None and len(cells) == 2 and len(others) == 1 and "@" in cells[0]:
            role = others[0]  # "address, role" with a role that there is none of
        yield from ((address, role) for address in written or [line[:100]])


def list_invitations(unit: Unit, *, cursor: str | None = None, size: int = 50) -> Page[Invitation]:
    """Return the open invitations, expired ones included, the newest first. Needs tenant:people:read."""
    require(unit, Permission.PEOPLE_READ)
    wanted = select(Invitation).where(Invitation.ended_at.is_(None))
    at, row_id = Invitation.created_at, Invitation.id
    return newest_first(unit, wanted, at, row_id, binding="invitations", cursor=cursor, size=size, counted=True)


def count_open(unit: Unit) -> int:
    """Return how many invitations are open."""
    return unit.session.scalar(select(func.count()).where(Invitation.ended_at.is_(None))) or 0


def get_invitation(unit: Unit, invitation_id: UUID) -> Invitation:
    """Return an invitation. Needs tenant:people:read. Raises NotFound."""
    require(unit, Permission.PEOPLE_READ)
    invitation = unit.session.get(Invitation, (unit.tenant_id, invitation_id), populate_existing=True)
    if invitation is None:
        raise NotFound()
    return invitation


def resend_invitation(unit: Unit, invitation_id: UUID) -> Invitation:
    """Mail another link, good for 7 days from now; the one before is void. Needs tenant:people:write.

    Raises NotFound, Conflict for one that has ended, PermissionDenied, TooManyRequests.
    """
    invitation = _open(unit, invitation_id)
    require_givable(unit, role_named(invitation.role))
    before_that = {"email": invitation.email, "expires_at": invitation.expires_at.isoformat(timespec="seconds")}
    invitation.mail_id = mails.request_of_tenant(unit, "invitation", invitation.email)
    invitation.sent_at, invitation.expires_at = unit.now(), unit.now() + LASTS
    after = {"email": invitation.email, "expires_at": invitation.expires_at.isoformat(timespec="seconds")}
    unit.session.flush()
    audit.record(unit, "invitation.resend", "invitation", invitation.id, before=before_that, after=after)
    return invitation


def revoke_invitation(unit: Unit, invitation_id: UUID) -> Invitation:
    """Void an invitation and its link. Needs tenant:people:write. Raises NotFound, Conflict, PermissionDenied."""
    invitation = _open(unit, invitation_id)
    require_manageable(unit, invitation.role)
    invitation.ended_at, invitation.outcome = unit.now(), "revoked"
    unit.session.flush()
    gone = {"email": invitation.email, "role": invitation.role}
    audit.record(unit, "invitation.revoke", "invitation", invitation.id, before=gone, after={"revoked": True})
    return invitation


def _open(unit: Unit, invitation_id: UUID) -> Invitation:
    require(unit, Permission.PEOPLE_WRITE)
    lock_memberships(unit)
    invitation = get_invitation(unit, invitation_id)
    if invitation.ended_at is not None:
        raise Conflict(f"This invitation was {invitation.outcome} already.")
    return invitation
