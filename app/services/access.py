"""Whether the actor of a unit may do what is asked; every verb asks first."""

from app.core.errors import BeyondPlan, PermissionDenied
from app.core.permissions import Permission
from app.db.units import Unit


def may(unit: Unit, permission: Permission) -> bool:
    """Tell whether the unit's actor holds `permission`."""
    return permission in unit.actor.permissions


_BEYOND = {
    "seats": "Your seat in this tenant is beyond its plan: you see what a viewer sees, and change nothing.",
    "api_keys": "This API key is beyond the tenant's plan: it reads, and changes nothing.",
    "workspaces": "The workspace of this API key is beyond the tenant's plan: it can be read, not changed.",
}


def require(unit: Unit, permission: Permission) -> None:
    """Return if the unit's actor holds `permission`.

    Raises PermissionDenied, which names it; BeyondPlan where the actor would hold it if the plan were larger.
    """
    if permission in unit.actor.withheld and unit.actor.beyond is not None:
        told = {"permission": str(permission), "quota": unit.actor.beyond}
        raise BeyondPlan(_BEYOND[unit.actor.beyond], extra=told)
    if not may(unit, permission):
        raise PermissionDenied(f"This needs the permission {permission}.", extra={"permission": str(permission)})
