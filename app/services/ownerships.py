"""Ownership, handed on with consent: an owner offers it, the other accepts; until then nothing changes."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select

from app.core.errors import Conflict, NotFound, PermissionDenied
from app.core.permissions import Permission, Role
from app.db.units import Unit
from app.models.accounts import OwnershipOffer
from app.services import audit, mails
from app.services.access import may, require
from app.services.group_roles import given_role
from app.services.memberships import find_member, get_member, lock_memberships, own_membership, put_role
from app.tenancy.actors import ActorKind

LASTS = timedelta(days=7)


def open_offer(unit: Unit) -> OwnershipOffer | None:
    """Return the offer that is open, to an owner or to whom it is made; to anybody else there is none."""
    offer = _open(unit)
    if offer is None or not (may(unit, Permission.OWNERSHIP_WRITE) or offer.taker_id == unit.actor.id):
        return None
    return offer


def offer_ownership(unit: Unit, taker_id: UUID, *, steps_down: bool) -> OwnershipOffer:
    """Offer a member to become an owner, within 7 days; with `steps_down` the giver becomes an admin then.

    Needs tenant:ownership:write, which only owners have. Raises NotFound, Conflict for an owner or while another offer
    is open, TooManyRequests where the mail would be one too many.
    """
    require(unit, Permission.OWNERSHIP_WRITE)
    if unit.actor.kind is not ActorKind.USER:
        raise PermissionDenied("Ownership is handed on by people.")
    lock_memberships(unit)
    giver, taker, now = own_membership(unit), get_member(unit, taker_id), unit.now()
    if giver.role != Role.OWNER:
        raise PermissionDenied("Only an owner hands on the ownership.")
    if taker.role == Role.OWNER:
        raise Conflict(f"{taker.name} is an owner already.")
    if (older := _unended(unit)) is not None:
        if older.expires_at > now:
            raise Conflict("Another offer is open. Withdraw it first.")
        _end(unit, older, "expired")
    mails.request_of_tenant(unit, "ownership-offer", taker.email)
    offer = OwnershipOffer(
        giver_id=giver.user_id,
        giver_label=giver.email,
        taker_id=taker.user_id,
        taker_label=taker.email,
        steps_down=steps_down,
        created_at=now,
        expires_at=now + LASTS,
    )
    unit.session.add(offer)
    unit.session.flush()
    after = {"to": taker.email, "steps_down": steps_down}
    audit.record(unit, "ownership.offer", "ownership_offer", offer.id, after=after)
    return offer


def accept_ownership(unit: Unit) -> OwnershipOffer:
    """Become an owner, as offered; the giver, who steps down, becomes an admin in the same transaction,
    or what a group of the identity provider gives them.

    Raises NotFound where nothing is offered to the actor (any more), Conflict where the giver is no owner any more.
    """
    lock_memberships(unit)
    offer = _mine(unit)
    giver, taker = find_member(unit, offer.giver_id), own_membership(unit)
    if giver is None or giver.role != Role.OWNER:
        raise Conflict("Whoever offered it is no longer an owner.")
    _end(unit, offer, "accepted")
    put_role(unit, taker, Role.OWNER)
    if offer.steps_down:
        given = given_role(unit, giver.user_id)
        put_role(unit, giver, Role.ADMIN if given is None else given.role)
    return offer


def refuse_ownership(unit: Unit) -> OwnershipOffer:
    """Refuse what is offered. Raises NotFound where nothing is."""
    lock_memberships(unit)
    return _end(unit, _mine(unit), "refused")


def withdraw_offer(unit: Unit) -> OwnershipOffer:
    """Withdraw the open offer, whichever owner made it. Needs tenant:ownership:write. Raises NotFound."""
    require(unit, Permission.OWNERSHIP_WRITE)
    lock_memberships(unit)
    offer = _open(unit)
    if offer is None:
        raise NotFound("No offer is open.")
    return _end(unit, offer, "withdrawn")


def _open(unit: Unit) -> OwnershipOffer | None:
    offer = _unended(unit)
    return None if offer is None or offer.expires_at <= unit.now() else offer


def _unended(unit: Unit) -> OwnershipOffer | None:
    statement = select(OwnershipOffer).where(OwnershipOffer.ended_at.is_(None))
    return unit.session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def _mine(unit: Unit) -> OwnershipOffer:
    offer = _open(unit)
    if offer is None or offer.taker_id != unit.actor.id or unit.actor.kind is not ActorKind.USER:
        raise NotFound("Nothing is offered to you. The offer may have expired or been withdrawn.")
    return offer


def _end(unit: Unit, offer: OwnershipOffer, outcome: str) -> OwnershipOffer:
    offer.ended_at, offer.outcome = unit.now(), outcome
    unit.session.flush()
    told = {"from": offer.giver_label, "to": offer.taker_label}
    audit.record(unit, f"ownership.{outcome}", "ownership_offer", offer.id, before=told, after={"outcome": outcome})
    return offer
