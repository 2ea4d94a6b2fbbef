"""Giving people the role that their groups say, or else the one that they have without."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from app.core.permissions import Role
from app.db.units import Unit
from app.models.accounts import Membership
from app.models.provisioning import ProvisionedPerson
from app.services import memberships
from app.services.group_roles import given_roles


def settle_roles(unit: Unit, ids: Iterable[UUID]) -> int:
    """Give people the role that their groups say, from the next request on; return how many changed.

    Owners keep theirs, and so do people who are not active.
    """
    wanted = list(ids)
    given = given_roles(unit, wanted)
    rows = unit.session.execute(
        select(ProvisionedPerson, Membership.role)
        .join(
            Membership,
            (Membership.tenant_id == ProvisionedPerson.tenant_id) & (Membership.user_id == ProvisionedPerson.user_id),
        )
        .where(ProvisionedPerson.id.in_(wanted), ProvisionedPerson.active.is_(True))
    )
    changed = 0
    for person, present in rows.all():
        role = given[person.id].role if person.id in given else Role(person.base_role)
        if present != Role.OWNER and role not in (Role.OWNER, Role(present)):
            memberships.change_role(unit, person.user_id, role, by_group=True)
            changed += 1
    return changed
