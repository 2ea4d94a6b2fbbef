"""The tenant itself: what it is called."""

from app.core.errors import Invalid
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.tenants import Tenant
from app.services import audit
from app.services.access import require
from app.services.accounts import line_problem


def get_tenant(unit: Unit) -> Tenant:
    """Return the tenant. Needs tenant:settings:read."""
    require(unit, Permission.SETTINGS_READ)
    return unit.session.get_one(Tenant, unit.tenant_id)


def own_tenant(unit: Unit) -> Tenant:
    """Return the tenant whose unit this is: whoever came in may know its name. Asks for no permission."""
    return unit.session.get_one(Tenant, unit.tenant_id)


def rename_tenant(unit: Unit, name: str) -> Tenant:
    """Give the tenant another name, which shows from the next page on. Needs tenant:settings:write. Raises Invalid."""
    require(unit, Permission.SETTINGS_WRITE)
    if problem := line_problem(name, 120):
        raise Invalid(fields={"name": problem})
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    if name.strip() != tenant.name:
        before = {"name": tenant.name}
        tenant.name = name.strip()
        unit.session.flush()
        audit.record(unit, "tenant.rename", "tenant", tenant.id, before=before, after={"name": tenant.name})
    return tenant
