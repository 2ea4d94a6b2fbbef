"""Roles that groups of an identity provider give: the highest of a person's groups, else the role without one."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select

from app.core.permissions import Role
from app.db.units import Unit
from app.models.accounts import Membership
from app.models.provisioning import ProvisionedGroup, ProvisionedGroupMember, ProvisionedPerson
from app.services import memberships

# What a group can give, the highest first. Never owner: ownership is handed over by whoever has it.
MAPPED = (Role.ADMIN, Role.OPERATOR, Role.AUDITOR, Role.VIEWER)


def mapped_roles(unit: Unit, ids: Iterable[UUID]) -> dict[UUID, Role]:
    """Return the highest role that the groups of people give, by person; without those whom no group gives one."""
    rows = unit.session.execute(
        select(ProvisionedGroupMember.person_id, ProvisionedGroup.role)
        .join(
            ProvisionedGroup,
            (ProvisionedGroup.tenant_id == ProvisionedGroupMember.tenant_id)
            & (ProvisionedGroup.id == ProvisionedGroupMember.group_id),
        )
        .where(ProvisionedGroupMember.person_id.in_(list(ids)), ProvisionedGroup.role.is_not(None))
    )
    found: dict[UUID, Role] = {}
    for person_id, name in rows:
        if name is not None:
            others = {Role(name), found.get(person_id, Role(name))}
            found[person_id] = min(others, key=MAPPED.index)
    return found


def settle_roles(unit: Unit, ids: Iterable[UUID]) -> int:
    """Give people the role that their groups say, from the next request on; return how many changed.

    Owners keep theirs, and so do people who are not active.
    """
    wanted = list(ids)
    given = mapped_roles(unit, wanted)
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
        role = given.get(person.id, Role(person.base_role))
        if present != Role.OWNER and role not in (Role.OWNER, Role(present)):
            memberships.change_role(unit, person.user_id, role)
            changed += 1
    return changed
