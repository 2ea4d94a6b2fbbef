"""The erasure of a tenant: how it begins, which nothing undoes."""

from uuid import UUID

from app.core.errors import Conflict
from app.db import erasures as directory
from app.db.units import Unit
from app.services import audit, lifecycles


def order_erasure(unit: Unit, order_id: UUID, slug: str, reason: str) -> None:
    """Begin to erase a suspended or deleted tenant, as a member of staff ordered by typing its slug.

    Done twice it changes nothing more. Raises Conflict for a tenant that is neither, Invalid for another slug.
    """
    lifecycles.require_staff(unit)
    if directory.begun(unit.session, unit.tenant_id):
        return
    tenant = lifecycles.present_tenant(unit)
    if tenant.status not in ("suspended", "deleted"):
        raise Conflict(f"The tenant is {tenant.status}: suspend or delete it first.")
    lifecycles.require_slug(tenant, slug)
    if tenant.status == "suspended":
        lifecycles.delete_tenant(unit, slug, reason)
    _begin(unit, order_id, reason)


def begin_erasure(unit: Unit) -> None:
    """Begin to erase a tenant whose time for restoring is over. For the worker; the database refuses any other."""
    if not directory.begun(unit.session, unit.tenant_id):
        _begin(unit, None, "The time for restoring it is over.")


def _begin(unit: Unit, order_id: UUID | None, reason: str) -> None:
    audit.record(unit, "tenant.purge", "tenant", unit.tenant_id, after={"reason": reason})
    unit.session.flush()  # with the next statement the tenant's log takes no more
    directory.begin(unit.session, unit.tenant_id, order_id)
