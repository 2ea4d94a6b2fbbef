"""Holding a row while an update decides by its present state."""

from uuid import UUID

from sqlalchemy import select

from app.db.units import Unit
from app.models.tables import Identified
from app.models.tenants import Tenant


def hold(unit: Unit, table: type[Identified] | type[Tenant], row_id: UUID) -> None:
    """Lock the row until the unit ends, so that nobody changes it between a look and an update. One that is not there
    is left to whoever looks."""
    unit.session.execute(select(table.id).where(table.id == row_id).with_for_update())
