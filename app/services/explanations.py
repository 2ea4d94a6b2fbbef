"""Why a person can do something: each permission with what it comes from, and what they cannot do with who could."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.core.permissions import Permission, Role, permissions_of, role_named
from app.db.units import Unit
from app.models.accounts import ExtraPermission
from app.services.connections import find_connection
from app.services.extras import list_extras
from app.services.group_roles import given_role
from app.services.memberships import get_member


@dataclass(frozen=True, slots=True)
class Source:
    """Who says a member's role: a `group` of the identity provider, or a `claim` at each company sign-in."""

    group: str | None = None
    claim: str | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """A permission of a member: held by `role`, or as the extra of `by` for `reason`, `until` a moment or for good.

    Not held, it names the `roles` that would give it, and the extra that is over, if there was one.
    """

    permission: Permission
    held: bool
    role: str | None
    roles: tuple[Role, ...]
    by: str | None = None
    reason: str | None = None
    until: datetime | None = None
    since: datetime | None = None


def explain(unit: Unit, user_id: UUID) -> list[Explained]:
    """Return every permission there is, those that the member holds first. Needs tenant:people:read. Raises NotFound.

    It is told from the same tables and at the same moment as a request of the person is decided on.
    """
    member = get_member(unit, user_id)
    extras = {extra.permission: extra for extra in list_extras(unit, user_id)}
    found = [_explained(one, member.role, extras.get(one), unit.now()) for one in Permission]
    return sorted(found, key=lambda one: (not one.held, one.permission))


def source_of(unit: Unit, user_id: UUID) -> Source | None:
    """Return who says the member's role; None where the people here do, or for an owner. Needs tenant:people:read.

    A group goes before a claim; a claim counts where the company's sign-in is on and maps one.
    """
    if get_member(unit, user_id).role == Role.OWNER:
        return None
    given = given_role(unit, user_id)
    if given is not None:
        return Source(group=given.group)
    connection = find_connection(unit)
    if connection is not None and connection.status == "on" and connection.role_claim:
        return Source(claim=connection.role_claim)
    return None


def _explained(permission: Permission, role: str, extra: ExtraPermission | None, now: datetime) -> Explained:
    roles = tuple(one for one in Role if permission in permissions_of(one))
    if permission in permissions_of(role_named(role)):
        return Explained(permission, True, role, roles)
    if extra is None:
        return Explained(permission, False, None, roles)
    held = extra.until is None or extra.until > now
    return Explained(permission, held, None, roles, extra.granted_label, extra.reason, extra.until, extra.created_at)
