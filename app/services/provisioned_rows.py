"""What reading provisioned people and groups have in common: one by its id, or a page by places, as SCIM asks."""

from typing import TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from app.core.errors import NotFound
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.provisioning import ProvisionedGroup, ProvisionedPerson
from app.services.access import require

Row = TypeVar("Row", ProvisionedGroup, ProvisionedPerson)


def find(unit: Unit, model: type[Row], noun: str, row_id: UUID, *, held: bool) -> Row:
    """Return the row, `held` until the end of the unit. Needs tenant:people:read. Raises NotFound, naming the noun."""
    require(unit, Permission.PEOPLE_READ)
    statement = select(model).where(model.id == row_id)
    found = unit.session.scalar(statement.with_for_update() if held else statement)
    if found is None:
        raise NotFound(f"There is no {noun} {row_id}.")
    return found


def list_rows(
    unit: Unit, model: type[Row], condition: ColumnElement[bool] | None, *, skip: int, most: int
) -> tuple[list[Row], int]:
    """Return rows in the order in which they came, and how many fit in all. Needs tenant:people:read."""
    require(unit, Permission.PEOPLE_READ)
    statement = select(model)
    if condition is not None:
        statement = statement.where(condition)
    count = unit.session.scalar(select(func.count()).select_from(statement.subquery())) or 0
    ordered = statement.order_by(model.created_at, model.id)
    return list(unit.session.scalars(ordered.offset(skip).limit(most))), count
