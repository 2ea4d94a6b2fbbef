"""What the members of a closed tenant are told: since when, and whom they can ask."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from app.core.permissions import Role
from app.db.units import Unit
from app.models.accounts import Membership
from app.models.tenants import Tenant

MOST_OWNERS = 5


@dataclass(frozen=True, slots=True)
class Contact:
    """An owner, as every member may know them."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Closing:
    """Since when a tenant is closed (unknown for one that was suspended before this was kept), and its owners."""

    since: datetime | None
    owners: tuple[Contact, ...]


def closing(unit: Unit) -> Closing:
    """Return what is told of the unit's tenant; asks for no permission, since every member of it may know."""
    tenant = unit.session.get_one(Tenant, unit.tenant_id)
    rows = unit.session.scalars(
        select(Membership).where(Membership.role == Role.OWNER).order_by(Membership.created_at).limit(MOST_OWNERS)
    )
    since = tenant.deleted_at if tenant.status == "deleted" else tenant.suspended_at
    return Closing(since, tuple(Contact(row.name, row.email) for row in rows))
