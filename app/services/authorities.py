"""What the actor of a unit may hand on: nobody gives what they lack, and nobody manages those who may do more.

The platform itself (just-in-time membership) and identity providers (provisioning) act for what an administrator set
up, and never make an owner. What a person has by an extra permission they may use but not hand on.
"""

from sqlalchemy import select

from app.core.errors import PermissionDenied
from app.core.permissions import KEY_SCOPES, Permission, Role, permissions_of, role_named
from app.db.units import Home, Unit
from app.models.accounts import Membership
from app.services.access import require
from app.tenancy.actors import ActorKind

PROVIDERS = frozenset({ActorKind.SYSTEM, ActorKind.SCIM})


def require_people(unit: Unit, permission: Permission) -> None:
    """Return if the actor is the platform itself or holds `permission`. Raises PermissionDenied."""
    if unit.actor.kind not in PROVIDERS:
        require(unit, permission)


def handed(unit: Unit) -> frozenset[str]:
    """Return the permissions that the actor may hand on, as they stand now."""
    if unit.actor.kind in PROVIDERS:
        return frozenset(Permission) - {Permission.OWNERSHIP_WRITE}
    if unit.actor.kind is ActorKind.KEY:
        return _of_key(unit)
    statement = select(Membership.role).where(Membership.user_id == unit.actor.id)
    role = unit.at_home(Home.ACCOUNT).session.scalar(statement)
    return frozenset() if role is None else frozenset(permissions_of(role_named(role)))


def _of_key(unit: Unit) -> frozenset[str]:
    """A key holds no permission of the console's own pages; those that every viewer has it may hand on all the same."""
    pages = permissions_of(Role.VIEWER) - frozenset(KEY_SCOPES)
    return unit.actor.permissions | pages


def givable_roles(unit: Unit) -> list[Role]:
    """Return the roles that the actor may give, the greatest first."""
    mine = handed(unit)
    return [role for role in Role if permissions_of(role) <= mine]


def require_givable(unit: Unit, role: Role) -> None:
    """Return if the actor may give `role`. Raises PermissionDenied, which names what they lack."""
    lacking = sorted(permissions_of(role) - handed(unit))
    if lacking:
        raise PermissionDenied(
            f"Nobody gives what they lack. For {role} you lack: " + ", ".join(lacking), extra={"permission": lacking[0]}
        )


def may_manage(unit: Unit, role: str) -> bool:
    """Tell whether the actor may change or end a membership of `role`."""
    if unit.actor.kind in PROVIDERS:
        return True
    return permissions_of(role_named(role)) <= handed(unit)


def require_manageable(unit: Unit, role: str) -> None:
    """Return if the actor may change or end a membership of `role`. Raises PermissionDenied."""
    if not may_manage(unit, role):
        raise PermissionDenied(
            f"Nobody changes the membership of somebody who may do more: this needs the role {role}."
        )
