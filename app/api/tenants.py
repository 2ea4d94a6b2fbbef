"""The tenant of a key or an access token, for the program that holds it: shown, renamed."""

from uuid import UUID

from flask import g
from pydantic import Field

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Asked, Moment, Told
from app.core.permissions import Permission
from app.db.directory import KeyHolder
from app.db.units import Home, Unit
from app.models.tenants import Tenant
from app.services import tenants

blueprint = noun_blueprint("tenants", __name__)
ALIASES = ("/orgs/me",)


class KeyView(Told):
    """The key of this request; scopes are those that hold now."""

    id: UUID
    name: str
    workspace_id: UUID
    scopes: list[str]


class TenantView(Told):
    """A tenant, and the key that opened it; null where an access token did."""

    id: UUID
    slug: str
    name: str
    plan: str
    status: str
    trial_ends_at: Moment | None
    created_at: Moment
    key: KeyView | None


class TenantChange(Asked):
    """What is to be changed of a tenant; what is left out stays as it is."""

    name: str | None = Field(None, max_length=200)


@resource(blueprint, "GET", "/tenants/current", answer=TenantView, tagged=True, home=Home.ACCOUNT, aliases=ALIASES)
def current(unit: Unit) -> TenantView:
    """Show whose key or token this is, and what a key may do; every one may ask."""
    holder: KeyHolder | None = g.key_holder
    tenant = tenants.own_tenant(unit)
    key = None
    if holder is not None:
        scopes = sorted(unit.actor.permissions)
        key = KeyView(id=holder.key_id, name=holder.name, workspace_id=holder.workspace_id, scopes=scopes)
    columns = ("id", "slug", "name", "plan", "status", "trial_ends_at", "created_at")
    return TenantView(**{name: getattr(tenant, name) for name in columns}, key=key)


@resource(
    blueprint,
    "PATCH",
    "/tenants/current",
    Permission.SETTINGS_WRITE,
    body=TenantChange,
    answer=TenantView,
    tagged=True,
    home=Home.ACCOUNT,
    current=current,
    held=Tenant,
    aliases=ALIASES,
)
def change(unit: Unit, body: TenantChange) -> TenantView:
    """Give the tenant another name."""
    if body.name is not None:
        tenants.rename_tenant(unit, body.name)
    return current(unit)
