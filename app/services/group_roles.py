"""Roles that groups of an identity provider give, which nobody else changes; and the role that is left without one."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from app.core.permissions import Role
from app.db.units import Unit
from app.models.provisioning import ProvisionedGroup, ProvisionedGroupMember, ProvisionedPerson
from app.services.plans import Feature, has_feature

# What a group can give, the highest first. Never owner: ownership is handed over by whoever has it.
MAPPED = (Role.ADMIN, Role.OPERATOR, Role.AUDITOR, Role.VIEWER)


@dataclass(frozen=True, slots=True)
class Given:
    """The role that a person has by a group, and the group's name."""

    role: Role
    group: str


def given_roles(unit: Unit, ids: Iterable[UUID]) -> dict[UUID, Given]:
    """Return the highest role that the groups of people give, by person; without those whom no group gives one."""
    rows = unit.session.execute(
        select(ProvisionedGroupMember.person_id, ProvisionedGroup.role, ProvisionedGroup.display_name)
        .join(
            ProvisionedGroup,
            (ProvisionedGroup.tenant_id == ProvisionedGroupMember.tenant_id)
            & (ProvisionedGroup.id == ProvisionedGroupMember.group_id),
        )
        .where(ProvisionedGroupMember.person_id.in_(list(ids)), ProvisionedGroup.role.is_not(None))
        .order_by(ProvisionedGroup.display_name)
    )
    found: dict[UUID, Given] = {}
    for person_id, name, group in rows:
        role = Role(str(name))
        if person_id not in found or MAPPED.index(role) < MAPPED.index(found[person_id].role):
            found[person_id] = Given(role, group)
    return found


def given_role(unit: Unit, user_id: UUID) -> Given | None:
    """Return what a group gives the account's holder, whom the provider has on; None too where the plan has no SCIM."""
    person = _active(unit, user_id)
    if person is None or not has_feature(unit, Feature.SCIM):
        return None
    return given_roles(unit, [person.id]).get(person.id)


def keep_base(unit: Unit, user_id: UUID, role: Role) -> None:
    """Let a role that a person or a claim gave be what the account's holder has once no group gives one."""
    person = _active(unit, user_id)
    if person is not None:
        person.base_role = role


def _active(unit: Unit, user_id: UUID) -> ProvisionedPerson | None:
    active = (ProvisionedPerson.user_id == user_id) & ProvisionedPerson.active.is_(True)
    return unit.session.scalars(select(ProvisionedPerson).where(active)).one_or_none()
