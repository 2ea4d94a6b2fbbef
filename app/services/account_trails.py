"""What is done to a person's account: on record in the account itself, and in the log of each tenant of the person."""

from uuid import UUID

from sqlalchemy import select

from app.db import people
from app.db.units import Doorway
from app.models.accounts import Membership
from app.services import audit
from app.services.accounts import Origin
from app.tenancy.actors import Actor, ActorKind


def record(door: Doorway, user_id: UUID, action: str, origin: Origin, *, email: str | None = None) -> None:
    """Write down what the person did to their account, here and in every tenant that they belong to.

    Whoever answers for a tenant sees there that a member's password or factors are others than before. Without `email`
    a tenant's own record of the person's address names them.
    """
    people.note_account(door.session, user_id, action, origin.address, origin.agent)
    for tenant_id in people.account_tenants(door.session, user_id):
        label = email or _address(door, tenant_id, user_id)
        with door.within(tenant_id, origin.actor(ActorKind.USER, user_id, label)) as unit:
            audit.record(unit, action, "person", user_id)


def _address(door: Doorway, tenant_id: UUID, user_id: UUID) -> str:
    with door.within(tenant_id, Actor(ActorKind.USER, user_id, "")) as unit:
        found = unit.session.scalar(select(Membership.email).where(Membership.user_id == user_id))
        return found or str(user_id)
