"""Groups that an identity provider sends: who is in them, and the role that each gives."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select

from app.core.errors import Conflict, Invalid, PermissionDenied
from app.core.permissions import Permission, Role, permissions_of
from app.db.units import Unit
from app.models.provisioning import ProvisionedGroup, ProvisionedGroupMember, ProvisionedPerson
from app.services import audit, authorities, provisioned_rows
from app.services.access import require
from app.services.group_roles import MAPPED
from app.services.plans import Feature, require_feature
from app.services.provisioned_roles import settle_roles

LONGEST = 256
MOST_MEMBERS = 10_000
MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class DescribedGroup:
    """A group as the identity provider describes it; members are ids of provisioned people."""

    display_name: str
    external_id: str | None = None
    members: frozenset[UUID] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a group."""

    id: UUID
    name: str


def create(unit: Unit, described: DescribedGroup) -> ProvisionedGroup:
    """Keep a group with its members; it gives no role yet. Needs tenant:people:write.

    Raises Invalid for a name that will not do or a member who is not provisioned, Conflict for a name that is taken.
    """
    require(unit, Permission.PEOPLE_WRITE)
    require_feature(unit, Feature.SCIM)
    _check(unit, described, None)
    now = unit.now()
    group = ProvisionedGroup(
        display_name=described.display_name,
        external_id=described.external_id,
        created_at=now,
        changed_at=now,
    )
    unit.session.add(group)
    unit.session.flush()
    given = {"name": group.display_name, "external_id": group.external_id}
    audit.record(unit, "provisioned_group.create", "provisioned_group", group.id, after=given)
    _set_members(unit, group, described.members)
    return group


def change(unit: Unit, group: ProvisionedGroup, described: DescribedGroup) -> ProvisionedGroup:
    """Make the group what `described` says; roles follow at once. Needs tenant:people:write. Raises as `create`."""
    require(unit, Permission.PEOPLE_WRITE)
    require_feature(unit, Feature.SCIM)
    _check(unit, described, group)
    before = {"name": group.display_name, "external_id": group.external_id}
    after = {"name": described.display_name, "external_id": described.external_id}
    if after != before:
        group.display_name, group.external_id = described.display_name, described.external_id
        audit.record(unit, "provisioned_group.change", "provisioned_group", group.id, before=before, after=after)
    group.changed_at = unit.now()
    group.version += 1
    unit.session.flush()
    _set_members(unit, group, described.members)
    return group


def remove(unit: Unit, group: ProvisionedGroup) -> None:
    """Forget the group; its people keep what their other groups give. Needs tenant:people:write."""
    require(unit, Permission.PEOPLE_WRITE)
    people = member_ids(unit, group.id)
    given = {"name": group.display_name, "role": group.role, "members": len(people)}
    audit.record(unit, "provisioned_group.delete", "provisioned_group", group.id, before=given)
    unit.session.execute(delete(ProvisionedGroupMember).where(ProvisionedGroupMember.group_id == group.id))
    unit.session.delete(group)
    unit.session.flush()
    settle_roles(unit, people)


def get(unit: Unit, group_id: UUID, *, held: bool = False) -> ProvisionedGroup:
    """Return the group, `held` until the end of the unit. Needs tenant:people:read. Raises NotFound."""
    return provisioned_rows.find(unit, ProvisionedGroup, "group", group_id, held=held)


def list_groups(
    unit: Unit, condition: ColumnElement[bool] | None = None, *, skip: int = 0, most: int = 100
) -> tuple[list[ProvisionedGroup], int]:
    """Return groups in the order in which they came, and how many fit in all. Needs tenant:people:read."""
    return provisioned_rows.list_rows(unit, ProvisionedGroup, condition, skip=skip, most=most)


def members_of(unit: Unit, ids: Iterable[UUID]) -> dict[UUID, list[Member]]:
    """Return the people in groups, by group. Needs tenant:people:read."""
    require(unit, Permission.PEOPLE_READ)
    found: dict[UUID, list[Member]] = {}
    rows = unit.session.execute(
        select(ProvisionedGroupMember.group_id, ProvisionedPerson.id, ProvisionedPerson.user_name)
        .join(
            ProvisionedPerson,
            (ProvisionedPerson.tenant_id == ProvisionedGroupMember.tenant_id)
            & (ProvisionedPerson.id == ProvisionedGroupMember.person_id),
        )
        .where(ProvisionedGroupMember.group_id.in_(list(ids)))
        .order_by(ProvisionedPerson.user_key)
    )
    for group_id, person_id, name in rows:
        found.setdefault(group_id, []).append(Member(person_id, name))
    return found


def count_members(unit: Unit, ids: Iterable[UUID]) -> dict[UUID, int]:
    """Return how many people are in groups, by group. Needs tenant:people:read."""
    require(unit, Permission.PEOPLE_READ)
    rows = unit.session.execute(
        select(ProvisionedGroupMember.group_id, func.count())
        .where(ProvisionedGroupMember.group_id.in_(list(ids)))
        .group_by(ProvisionedGroupMember.group_id)
    )
    return {row[0]: row[1] for row in rows}


def map_role(unit: Unit, group_id: UUID, role: str | None) -> int:
    """Let the group give `role`, or none; return how many people have another role now. Needs tenant:sign-in:write.

    Raises Invalid for a role that no group gives, PermissionDenied for one that holds more than the actor does.
    """
    require(unit, Permission.SIGN_IN_WRITE)
    require_feature(unit, Feature.SCIM)
    if role is not None and role not in MAPPED:
        raise Invalid("The group was not changed.", fields={"role": "a group gives no such role"})
    if role is not None and not permissions_of(Role(role)) <= authorities.handed(unit):
        raise PermissionDenied("Nobody lets a group give what they lack.")
    group = get(unit, group_id, held=True)
    if group.role == role:
        return 0
    before, group.role = group.role, role
    unit.session.flush()
    given = {"name": group.display_name}
    audit.record(
        unit,
        "provisioned_group.map",
        "provisioned_group",
        group.id,
        before={**given, "role": before},
        after={**given, "role": role},
    )
    return settle_roles(unit, member_ids(unit, group.id))


def member_ids(unit: Unit, group_id: UUID) -> frozenset[UUID]:
    """Return the ids of the people in a group."""
    statement = select(ProvisionedGroupMember.person_id).where(ProvisionedGroupMember.group_id == group_id)
    return frozenset(unit.session.scalars(statement))


def _check(unit: Unit, described: DescribedGroup, group: ProvisionedGroup | None) -> None:
    for name, text in (("displayName", described.display_name), ("externalId", described.external_id or "")):
        if len(text) > LONGEST or not text.isprintable():
            raise Invalid(f"{name} has at most {LONGEST} characters, on one line.")
    if not described.display_name.strip():
        raise Invalid("displayName must not be empty.")
    if len(described.members) > MOST_MEMBERS:
        raise Invalid(f"A group has at most {MOST_MEMBERS:,} members.")
    statement = select(ProvisionedGroup.id).where(ProvisionedGroup.display_name == described.display_name)
    other = unit.session.scalar(statement)
    if other is not None and (group is None or other != group.id):
        raise Conflict("displayName is taken.", extra={"scimType": "uniqueness"})


def _set_members(unit: Unit, group: ProvisionedGroup, wanted: frozenset[UUID]) -> None:
    present = member_ids(unit, group.id)
    added, gone = wanted - present, present - wanted
    if not added and not gone:
        return
    names = _names(unit, added | gone)
    if unknown := added - names.keys():
        raise Invalid(f"There is no user {min(unknown)} to be a member.")
    unit.session.add_all(ProvisionedGroupMember(group_id=group.id, person_id=one) for one in sorted(added))
    if gone:
        unit.session.execute(
            delete(ProvisionedGroupMember).where(
                ProvisionedGroupMember.group_id == group.id, ProvisionedGroupMember.person_id.in_(gone)
            )
        )
    unit.session.flush()
    moved = {"name": group.display_name, "added": _some(names, added), "removed": _some(names, gone)}
    audit.record(unit, "provisioned_group.members", "provisioned_group", group.id, after=moved)
    settle_roles(unit, added | gone)


def _names(unit: Unit, ids: frozenset[UUID]) -> dict[UUID, str]:
    rows = unit.session.execute(
        select(ProvisionedPerson.id, ProvisionedPerson.user_name).where(ProvisionedPerson.id.in_(list(ids)))
    )
    return {row[0]: row[1] for row in rows}


def _some(names: dict[UUID, str], ids: frozenset[UUID]) -> list[str]:
    """Return the names of at most 50, then how many more there are."""
    listed = sorted(names.get(one, str(one)) for one in ids)
    more = len(listed) - MOST_LISTED
    return listed[:MOST_LISTED] + ([f"and {more} more"] if more > 0 else [])
