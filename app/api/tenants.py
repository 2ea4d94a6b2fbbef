"""The tenant of a key or an access token, for the program that holds it."""

from uuid import UUID

from flask import g

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Told
from app.db.directory import KeyHolder
from app.db.directory import TenantView as DirectoryTenant
from app.db.units import Unit

blueprint = noun_blueprint("tenants", __name__)


class KeyView(Told):
    """The key of this request; scopes are those that hold now."""

    id: UUID
    name: str
    scopes: list[str]


class TenantView(Told):
    """A tenant, and the key that opened it; null where an access token did."""

    id: UUID
    slug: str
    name: str
    plan: str
    status: str
    key: KeyView | None


@resource(blueprint, "GET", "/tenants/current", answer=TenantView)
def current(unit: Unit) -> TenantView:
    """Show whose key or token this is, and what a key may do; every one may ask."""
    holder: KeyHolder | None = g.key_holder
    tenant: DirectoryTenant = holder.tenant if holder else g.visitor.tenant
    key = None
    if holder is not None:
        key = KeyView(id=holder.key_id, name=holder.name, scopes=sorted(unit.actor.permissions))
    return TenantView(id=tenant.id, slug=tenant.slug, name=tenant.name, plan=tenant.plan, status=tenant.status, key=key)
