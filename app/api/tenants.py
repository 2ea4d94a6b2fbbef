"""The tenant that a key belongs to, for the program that holds the key."""

from uuid import UUID

from flask import g

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Told
from app.db.directory import KeyHolder
from app.db.units import Unit

blueprint = noun_blueprint("tenants", __name__)


class KeyView(Told):
    """The key of this request; scopes are those that hold now."""

    id: UUID
    name: str
    scopes: list[str]


class TenantView(Told):
    """A tenant, and the key that opened it."""

    id: UUID
    slug: str
    name: str
    plan: str
    status: str
    key: KeyView


@resource(blueprint, "GET", "/tenants/current", answer=TenantView)
def current(unit: Unit) -> TenantView:
    """Show whose key this is and what it may do; every key may ask."""
    holder: KeyHolder = g.key_holder
    tenant = holder.tenant
    key = KeyView(id=holder.key_id, name=holder.name, scopes=sorted(unit.actor.permissions))
    return TenantView(id=tenant.id, slug=tenant.slug, name=tenant.name, plan=tenant.plan, status=tenant.status, key=key)
