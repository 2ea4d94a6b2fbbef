"""Whose account a provider's answer opens, and how whoever is new becomes a member, just in time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core import crypto
from app.core.errors import QuotaExceeded, SignInRefused
from app.core.ids import new_id
from app.core.permissions import Role
from app.db import directory, sign_ons
from app.db.sign_ons import Known, PendingLink
from app.db.units import Doorway, Unit
from app.models.accounts import Membership
from app.services import account_trails, connections, mails, memberships
from app.services.accounts import Origin
from app.services.email_domains import domain_of, is_proven
from app.services.group_roles import given_role
from app.services.provisioned_people import find_person
from app.services.role_maps import role_of
from app.tenancy.actors import Actor, ActorKind


@dataclass(frozen=True, slots=True)
class Arrived:
    """Whom a provider vouches for; `email` is believed, in the form that addresses are kept in."""

    issuer: str
    subject: str
    email: str
    name: str
    claims: Mapping[str, Any]


def join(
    door: Doorway, arrived: Arrived, tenant_id: UUID | None, connection_id: UUID | None, origin: Origin
) -> UUID | PendingLink:
    """Return whose account this is, linked and a member; or the link that waits for the account's password.

    Raises SignInRefused for an address outside the tenant's proven domains, a subject or a person who may not come in.
    """
    known = sign_ons.find_identity(door.session, arrived.issuer, arrived.subject)
    named = known or sign_ons.find_account(door.session, arrived.email)
    if tenant_id is None:
        return _join_platform(door, arrived, known, named, origin)
    with door.within(tenant_id, _actor(origin)) as unit:
        role = _role(unit, connection_id, arrived)
        member = None if named is None else memberships.find_member(unit, named.user_id)
        ours = named is not None and named.verified and is_proven(unit, domain_of(named.email))
    if named is not None and not _settled(known, member, ours=ours):
        return _pending(named, arrived, connection_id, tenant_id, role)
    user_id = named.user_id if named is not None else _register(door, arrived, origin)
    if named is not None and known is None:
        _link(door, arrived, user_id, origin)
        mails.request(door, "sso-linked", named.email, user_id=user_id, client=None)
    enrol(door, tenant_id, user_id, (named.email, named.name) if named else (arrived.email, arrived.name), role, origin)
    return user_id


def _join_platform(
    door: Doorway, arrived: Arrived, known: Known | None, named: Known | None, origin: Origin
) -> UUID | PendingLink:
    if known is not None:
        return known.user_id
    if named is None:
        return _register(door, arrived, origin)
    if not named.verified:
        raise SignInRefused("The account with this address has not confirmed it yet: open the link that was mailed.")
    return _pending(named, arrived, None, None, None)


def enrol(
    door: Doorway, tenant_id: UUID, user_id: UUID, who: tuple[str, str], role: Role | None, origin: Origin
) -> None:
    """Make the person a member in this role, or give a member the role that the provider says now.

    Whom SCIM has switched off stays out, and the role that a group gives goes before any claim. An owner stays one: no
    claim takes ownership away, as none gives it. A member whom no line fits stays as they are only where nothing is
    mapped; else they are refused. Raises SignInRefused.
    """
    with door.within(tenant_id, _actor(origin)) as unit:
        connection = connections.find_connection(unit)
        mapped = connection is not None and bool(connection.role_claim)
        member = memberships.find_member(unit, user_id)
        person = find_person(unit, user_id)
        if person is not None and not person.active:
            raise SignInRefused("Your company has switched off your access here.")
        if (given := given_role(unit, user_id)) is not None:
            mapped, role = False, given.role  # the groups that the provider keeps in step by SCIM say it, no claim
        if member is not None and (member.role == Role.OWNER or not mapped):
            return
        if role is None:
            raise SignInRefused("Your company's provider gives you no role here. Ask whoever looks after it.")
        if member is None:
            _add(unit, user_id, who, role)
        elif member.role != role:
            memberships.put_role(unit, member, role)


def _add(unit: Unit, user_id: UUID, who: tuple[str, str], role: Role) -> None:
    try:
        memberships.add_member(unit, user_id, who[0], who[1], role, source="sso")
    except QuotaExceeded:
        raise SignInRefused("Your company has used all seats of its plan. Ask an owner for one more.") from None


def link(door: Doorway, pending: PendingLink, origin: Origin) -> None:
    """Enrol the account's person, who has just shown that it is theirs, and link the subject to it.

    It is on record in each tenant of theirs, and told by mail. Raises SignInRefused.
    """
    if pending.tenant_id is not None:
        role = Role(pending.role) if pending.role else None
        enrol(door, pending.tenant_id, pending.user_id, (pending.email, pending.name), role, origin)
    _link(door, pending, pending.user_id, origin)
    mails.request(door, "sso-linked", pending.email, user_id=pending.user_id, client=None)


def _role(unit: Unit, connection_id: UUID | None, arrived: Arrived) -> Role | None:
    connection = connections.find_connection(unit)
    if connection is None or connection.id != connection_id or connection.status != "on":
        raise SignInRefused("This company does not sign in through this provider.")
    if not is_proven(unit, domain_of(arrived.email)):
        raise SignInRefused(f"{arrived.email} is outside the e-mail domains that this company has proven.")
    return role_of(connection, arrived.claims)


def _settled(known: Known | None, member: Membership | None, *, ours: bool) -> bool:
    """Tell whether the account opens without its password; `ours`: its address is checked and in a proven domain."""
    if known is not None:  # linked, perhaps through another tenant: nobody is drawn into this one by a word alone
        return member is not None or ours
    return member is not None and ours and member.role != Role.OWNER


def _register(door: Doorway, arrived: Arrived, origin: Origin) -> UUID:
    """Make a person whose address is the provider's word, with a password that nobody knows."""
    user_id, unknown = new_id(), crypto.nobodys_hash()
    if not directory.register_user(door.session, user_id, arrived.email, arrived.name, unknown, verified=True):
        raise SignInRefused("An account with this address was made a moment ago. Begin again.")
    _link(door, arrived, user_id, origin)
    return user_id


def _link(door: Doorway, whom: Arrived | PendingLink, user_id: UUID, origin: Origin) -> None:
    if not sign_ons.link_identity(door.session, whom.issuer, whom.subject, user_id):
        raise SignInRefused("This sign-in belongs to another account already.")
    account_trails.record(door, user_id, "identity.link", origin, email=whom.email)


def _pending(
    named: Known, arrived: Arrived, connection_id: UUID | None, tenant_id: UUID | None, role: Role | None
) -> PendingLink:
    return PendingLink(
        user_id=named.user_id,
        email=named.email,
        name=named.name,
        issuer=arrived.issuer,
        subject=arrived.subject,
        connection_id=connection_id,
        tenant_id=tenant_id,
        tenant_name=None,
        role=None if role is None else str(role),
        next=None,
    )


def _actor(origin: Origin) -> Actor:
    return origin.actor(ActorKind.SYSTEM, None, "single sign-on")
