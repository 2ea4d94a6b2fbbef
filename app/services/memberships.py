"""Memberships: who belongs to a tenant, in which role; the last owner survives every change.

Changes of a tenant's memberships come one after the other (an advisory lock), and what each decides on is read anew
beneath that lock. Ending a membership ends the person's way in at the next request: pages and keys ask the directory.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select

from app.core.errors import Conflict, Invalid, NotFound, PermissionDenied
from app.core.permissions import GRANTS, Permission, Role, permissions_of, role_named
from app.db import visits
from app.db.locks import Lock, hold
from app.db.units import Unit
from app.models.accounts import ApiKey, ExtraPermission, Invitation, Membership, OwnershipOffer
from app.models.provisioning import ProvisionedPerson
from app.services import audit, excess, quotas
from app.services.authorities import require_givable, require_manageable, require_people
from app.services.group_roles import given_role, keep_base
from app.services.key_secrets import write_revocation
from app.services.pages import Page, newest_first
from app.services.plans import Quota
from app.tenancy.actors import ActorKind

Source = Literal["invitation", "sso", "scim"]


class LastOwner(Conflict):
    """The tenant would be left without an owner."""

    code, title = "last-owner", "A tenant keeps an owner"


class GivenByGroup(Conflict):
    """The identity provider gives the member's role by a group."""

    code, title = "given-by-group", "The identity provider gives this role"


class AlreadyMember(Conflict):
    """The person belongs to the tenant already."""

    code, title = "already-member", "Already a member"


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends with a membership: keys by name, open invitations that the person sent, extra permissions."""

    keys: tuple[str, ...]
    invitations: int
    extras: tuple[str, ...]


def list_members(
    unit: Unit, *, search: str | None = None, role: Role | None = None, cursor: str | None = None, size: int = 50
) -> Page[Membership]:
    """Return the members whose name or address contains `search`, the newest first. Needs tenant:people:read."""
    require_people(unit, Permission.PEOPLE_READ)
    wanted: Select[Membership] = select(Membership)
    if search:
        wanted = wanted.where(
            Membership.name.icontains(search, autoescape=True) | Membership.email.icontains(search, autoescape=True)
        )
    if role is not None:
        wanted = wanted.where(Membership.role == role)
    binding = f"members:{role or ''}:{search or ''}"
    at, row_id = Membership.created_at, Membership.id
    return newest_first(unit, wanted, at, row_id, binding=binding, cursor=cursor, size=size, counted=True)


def get_member(unit: Unit, user_id: UUID) -> Membership:
    """Return the person's membership. Needs tenant:people:read. Raises NotFound."""
    require_people(unit, Permission.PEOPLE_READ)
    return _member(unit, user_id)


def own_membership(unit: Unit) -> Membership:
    """Return the membership of whoever acts. Raises NotFound where it is not a person's doing."""
    if unit.actor.kind is not ActorKind.USER or unit.actor.id is None:
        raise NotFound()
    return _member(unit, unit.actor.id)


def last_seen(unit: Unit, user_ids: Collection[UUID]) -> dict[UUID, datetime]:
    """Return when these members were last in this tenant, to the hour. Needs tenant:people:read."""
    require_people(unit, Permission.PEOPLE_READ)
    return visits.members_seen(unit.session, user_ids)


def find_member(unit: Unit, user_id: UUID) -> Membership | None:
    """Return the person's membership as it stands now, if there is one."""
    statement = select(Membership).where(Membership.user_id == user_id)
    return unit.session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def members_with(unit: Unit, permission: Permission) -> list[Membership]:
    """Return the members whose role holds the permission. For the worker: asks for none."""
    members = unit.session.scalars(select(Membership))
    return [member for member in members if permission in permissions_of(role_named(member.role))]


def count_owners(unit: Unit) -> int:
    """Return how many owners the tenant has."""
    return unit.session.scalar(select(func.count()).where(Membership.role == Role.OWNER)) or 0


def add_member(unit: Unit, user_id: UUID, email: str, name: str, role: Role, *, source: Source) -> Membership:
    """Make a person a member. Whether they may become one is what `source` has settled: nothing is asked here.

    They have the role that a group gives them, if one does. An open invitation of the address ends. Raises
    AlreadyMember; QuotaExceeded where the plan has no seat left; PermissionDenied for an owner from a provider.
    """
    if role is Role.OWNER and source != "invitation":
        raise PermissionDenied("A provider makes nobody an owner.")
    if source != "scim" and _switched_off(unit, user_id):
        raise PermissionDenied(f"The tenant's identity provider has switched {email} off.")
    lock_memberships(unit)
    if find_member(unit, user_id) is not None:
        raise AlreadyMember(f"{email} is a member already.")
    quotas.require_room(unit, Quota.SEATS)
    if source != "scim" and role is not Role.OWNER:
        given = given_role(unit, user_id)
        role = role if given is None else given.role
        keep_base(unit, user_id, role)
    now = unit.now()
    member = Membership(user_id=user_id, email=email, name=name, role=role, created_at=now)
    unit.session.add(member)
    unit.session.flush()
    for invitation in unit.session.scalars(
        select(Invitation).where(Invitation.email == email, Invitation.ended_at.is_(None))
    ):
        invitation.ended_at, invitation.outcome = now, "accepted" if source == "invitation" else "void"
    after = {"email": email, "role": str(role), "source": source}
    audit.record(unit, "membership.add", "membership", member.id, after=after)
    return member


def change_role(unit: Unit, user_id: UUID, role: Role, *, by_group: bool = False) -> Membership:
    """Give a member another role (`by_group`: what their groups say), from the next request on.

    Needs tenant:people:write. Nobody gives what they lack or changes somebody who may do more; ownership is offered
    instead (`ownerships`), the last owner stays, and a role that a group gives is changed by nobody else. Raises
    NotFound, PermissionDenied, LastOwner, GivenByGroup.
    """
    require_people(unit, Permission.PEOPLE_WRITE)
    lock_memberships(unit)
    member = _member(unit, user_id)
    if member.role == role:
        return member
    require_manageable(unit, member.role)
    if role is Role.OWNER:
        raise PermissionDenied("Ownership is not given: offer it, and it is theirs once they accept.")
    require_givable(unit, role)
    given = None if by_group else given_role(unit, user_id)
    if given is not None and given.role != role:
        raise GivenByGroup(
            f"The group {given.group} of your identity provider gives the role {given.role}. Change who is in the "
            "group there, or what it gives under Sign-in, Provisioning."
        )
    return put_role(unit, member, role, by_group=by_group)


def put_role(unit: Unit, member: Membership, role: Role, *, by_group: bool = False) -> Membership:
    """Write another role, once it is settled that it may be given. Raises LastOwner."""
    if member.role == Role.OWNER and role is not Role.OWNER:
        _keep_an_owner(unit)
    before_that = {"email": member.email, "role": member.role}
    member.role = role
    if not by_group:
        keep_base(unit, member.user_id, role)
    unit.session.flush()
    _revoke_invitations(unit, member.user_id, within=role)
    if role is not Role.OWNER:
        _void_offers(unit, OwnershipOffer.giver_id == member.user_id)
    after = {"email": member.email, "role": str(role)}
    audit.record(unit, "membership.change", "membership", member.id, before=before_that, after=after)
    if Role.OWNER in (before_that["role"], role):
        excess.settle(unit, Quota.SEATS)
    return member


def end_membership(unit: Unit, user_id: UUID, *, reason: str) -> Ending:
    """End a membership: at the next request the person and their keys are refused here, everywhere.

    Needs tenant:people:write, unless it is one's own. `reason` is one line and stands in the audit log. Their keys and
    the invitations that they sent are revoked, sessions through the tenant's own provider end. The keys stay on record.
    Raises NotFound, PermissionDenied where the person may do more than the actor, LastOwner.
    """
    own = unit.actor.kind is ActorKind.USER and unit.actor.id == user_id
    if not own:
        require_people(unit, Permission.PEOPLE_WRITE)
    if len(reason) > 300 or not reason.isprintable():
        raise Invalid(fields={"reason": "at most 300 characters, on one line"})
    lock_memberships(unit)
    member = _member(unit, user_id)
    if not own:
        require_manageable(unit, member.role)
    if member.role == Role.OWNER:
        _keep_an_owner(unit)
    ending = what_ends(unit, user_id)
    _revoke_keys(unit, user_id)
    _revoke_invitations(unit, user_id, within=None)
    _void_offers(unit, (OwnershipOffer.giver_id == user_id) | (OwnershipOffer.taker_id == user_id))
    visits.end_tenant_sessions(unit.session, user_id)
    gone = {"email": member.email, "role": member.role, "extras": list(ending.extras)}
    audit.record(unit, "membership.end", "membership", member.id, before=gone, after={"reason": reason})
    unit.session.delete(member)
    unit.session.flush()
    excess.settle(unit, Quota.API_KEYS, Quota.SEATS)
    return ending


def what_ends(unit: Unit, user_id: UUID) -> Ending:
    """Return what would end with the person's membership."""
    extras = unit.session.scalars(select(ExtraPermission.permission).where(ExtraPermission.user_id == user_id))
    names = [key.name for key in unit.session.scalars(_keys_of(user_id))]
    invitations = len(unit.session.scalars(_invitations_of(user_id)).all())
    return Ending(tuple(names), invitations, tuple(sorted(extras)))


def lock_memberships(unit: Unit) -> None:
    """Let nobody else change memberships of this tenant until the commit."""
    hold(unit.session, Lock.MEMBERSHIPS, unit.tenant_id)


def _member(unit: Unit, user_id: UUID) -> Membership:
    member = find_member(unit, user_id)
    if member is None:
        raise NotFound()
    return member


def _switched_off(unit: Unit, user_id: UUID) -> bool:
    off = (ProvisionedPerson.user_id == user_id) & ProvisionedPerson.active.is_(False)
    return unit.session.scalar(select(ProvisionedPerson.id).where(off)) is not None


def _keep_an_owner(unit: Unit) -> None:
    if count_owners(unit) < 2:
        raise LastOwner("This is the last owner. Offer the ownership to another member first.")


def _keys_of(user_id: UUID) -> Select[ApiKey]:
    """Keys of service accounts are not the maker's: they outlive people."""
    wanted = select(ApiKey).where(
        ApiKey.maker_id == user_id, ApiKey.service_account_id.is_(None), ApiKey.revoked_at.is_(None)
    )
    return wanted.order_by(ApiKey.created_at, ApiKey.id)


def _revoke_keys(unit: Unit, user_id: UUID) -> None:
    for key in unit.session.scalars(_keys_of(user_id)):
        write_revocation(unit, key, reason="whoever made it is no longer a member")


def _invitations_of(user_id: UUID) -> Select[Invitation]:
    return select(Invitation).where(
        Invitation.inviter_id == user_id, Invitation.inviter_kind == ActorKind.USER, Invitation.ended_at.is_(None)
    )


def _revoke_invitations(unit: Unit, user_id: UUID, *, within: Role | None) -> None:
    """Revoke the invitations that the person sent, but for those that the role `within` may still send."""
    still = GRANTS[within] if within is not None and Permission.PEOPLE_WRITE in GRANTS[within] else frozenset()
    for invitation in unit.session.scalars(_invitations_of(user_id)):
        if GRANTS[role_named(invitation.role)] <= still:
            continue
        invitation.ended_at, invitation.outcome = unit.now(), "revoked"
        after = {"revoked": True, "reason": "whoever sent it may no longer invite to this role"}
        gone = {"email": invitation.email, "role": invitation.role}
        audit.record(unit, "invitation.revoke", "invitation", invitation.id, before=gone, after=after)


def _void_offers(unit: Unit, whose: ColumnElement[bool]) -> None:
    """End the open offer of ownership, if it is one of those."""
    for offer in unit.session.scalars(select(OwnershipOffer).where(whose, OwnershipOffer.ended_at.is_(None))):
        offer.ended_at, offer.outcome = unit.now(), "void"
        audit.record(unit, "ownership.void", "ownership_offer", offer.id, before={"to": offer.taker_label})
