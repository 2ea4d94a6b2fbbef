"""Whether the actor of a unit may do what is asked; every verb asks first."""

from app.core.errors import PermissionDenied
from app.core.permissions import Permission
from app.db.units import Unit


def may(unit: Unit, permission: Permission) -> bool:
    """Tell whether the unit's actor holds `permission`."""
    return permission in unit.actor.permissions


def require(unit: Unit, permission: Permission) -> None:
    """Return if the unit's actor holds `permission`. Raises PermissionDenied, which names it."""
    if not may(unit, permission):
        raise PermissionDenied(f"This needs the permission {permission}.", extra={"permission": str(permission)})
