"""Every tenant table, every verb, every way, with another tenant's real rows, under each combination of the layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import delete, func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.orm import Session, aliased

from app.db.units import Home, Units
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from app.tenancy.placements import Isolation, Placement
from tests.isolation.conftest import UnitsOf
from tests.peers import rows
from tests.peers.declarations import GRANTS
from tests.peers.mappings import mapped_classes
from tests.peers.rows import Planted, Shape
from tests.plugins.servers import Database

TESTER = system_actor("matrix")
MODELS = {f"{cls.__table__.schema or 'shared'}.{cls.__table__.name}": cls for cls in mapped_classes()}
REFUSED = "42501"  # insufficient_privilege: no grant, or a policy's WITH CHECK


@dataclass(frozen=True)
class Cell:
    """One table seen from tenant B with the real rows of tenant A."""

    shape: Shape
    model: type[Any]
    theirs: dict[str, Any]
    everything: Planted
    mine: Planted

    @property
    def key(self) -> tuple[Any, ...]:
        return tuple(self.theirs[column.name] for column in inspect(self.model).primary_key)

    @property
    def aimed(self) -> list[Any]:
        """The condition that names their row, column by column."""
        return [column == self.theirs[column.name] for column in inspect(self.model).primary_key]

    @property
    def where(self) -> str:
        return " AND ".join(f"{column} = :{column}" for column in self.shape.key)

    @property
    def bound(self) -> dict[str, Any]:
        return {column: self.theirs[column] for column in self.shape.key}

    def another(self) -> dict[str, Any]:
        """A further row of theirs, that refers to their rows."""
        made = rows.values(self.shape, self.everything.tenant_id, self.everything.rows)
        return {name: value.obj if isinstance(value, Jsonb) else value for name, value in made.items()}


Way = Callable[[Session, Cell], bool]


def select_all(session: Session, cell: Cell) -> bool:
    found = session.scalars(select(cell.model)).all()
    return any(getattr(row, cell.shape.tenant) == cell.everything.tenant_id for row in found)


def select_by_key(session: Session, cell: Cell) -> bool:
    return session.scalars(select(cell.model).where(*cell.aimed)).first() is not None


def select_get(session: Session, cell: Cell) -> bool:
    return session.get(cell.model, cell.key if len(cell.key) > 1 else cell.key[0]) is not None


def select_columns(session: Session, cell: Cell) -> bool:
    column = getattr(cell.model, cell.shape.tenant)
    return cell.everything.tenant_id in session.scalars(select(column)).all()


def select_alias(session: Session, cell: Cell) -> bool:
    other = aliased(cell.model)
    tenant = getattr(other, cell.shape.tenant)
    return session.scalar(select(func.count()).select_from(other).where(tenant == cell.everything.tenant_id)) > 0


def select_subquery(session: Session, cell: Cell) -> bool:
    inner = select(getattr(cell.model, cell.shape.tenant)).where(*cell.aimed)
    return session.scalar(select(inner.exists())) is True


def select_query(session: Session, cell: Cell) -> bool:
    return session.query(cell.model).filter(*cell.aimed).count() > 0


def select_locked(session: Session, cell: Cell) -> bool:
    return session.scalars(select(cell.model).where(*cell.aimed).with_for_update()).first() is not None


def update_statement(session: Session, cell: Cell) -> bool:
    column = cell.shape.changeable
    value = {column: cell.another()[column]}
    statement = update(cell.model).where(*cell.aimed).values(value).execution_options(synchronize_session=False)
    return session.execute(statement).rowcount > 0


def update_all(session: Session, cell: Cell) -> bool:
    column = cell.shape.changeable
    tenant = getattr(cell.model, cell.shape.tenant)
    both = tenant.in_([cell.everything.tenant_id, cell.mine.tenant_id])
    statement = update(cell.model).where(both).values({column: cell.another()[column]}).returning(tenant)
    found = session.scalars(statement.execution_options(synchronize_session=False)).all()
    return cell.everything.tenant_id in found


def delete_statement(session: Session, cell: Cell) -> bool:
    statement = delete(cell.model).where(*cell.aimed).execution_options(synchronize_session=False)
    return session.execute(statement).rowcount > 0


def insert_object(session: Session, cell: Cell) -> bool:
    session.add(cell.model(**cell.another()))
    session.flush()
    return True


def raw_select(session: Session, cell: Cell) -> bool:
    return session.execute(text(f"SELECT 1 FROM {cell.shape.name} WHERE {cell.where}"), cell.bound).first() is not None


def raw_select_all(session: Session, cell: Cell) -> bool:
    found = session.execute(text(f"SELECT {cell.shape.tenant} FROM {cell.shape.name}")).scalars().all()
    return cell.everything.tenant_id in found


def raw_core_select(session: Session, cell: Cell) -> bool:
    table = cell.model.__table__
    return cell.everything.tenant_id in session.execute(select(table.c[cell.shape.tenant])).scalars().all()


def raw_update(session: Session, cell: Cell) -> bool:
    column = cell.shape.changeable
    statement = text(f"UPDATE {cell.shape.name} SET {column} = {column} WHERE {cell.where}")
    return session.execute(statement, cell.bound).rowcount > 0


def raw_delete(session: Session, cell: Cell) -> bool:
    statement = text(f"DELETE FROM {cell.shape.name} WHERE {cell.where}")
    return session.execute(statement, cell.bound).rowcount > 0


def raw_insert(session: Session, cell: Cell) -> bool:
    row = cell.another()
    driver = session.connection().connection.driver_connection
    names, places = ", ".join(row), ", ".join(f"%({name})s" for name in row)
    wrapped = {name: Jsonb(value) if cell.shape.kinds[name] == "jsonb" else value for name, value in row.items()}
    driver.execute(f"INSERT INTO {cell.shape.name} ({names}) VALUES ({places})".encode(), wrapped)
    return True


ORM: tuple[Way, ...] = (
    select_all,
    select_by_key,
    select_get,
    select_columns,
    select_alias,
    select_subquery,
    select_query,
    select_locked,
    update_statement,
    update_all,
    delete_statement,
    insert_object,
)
RAW: tuple[Way, ...] = (raw_select, raw_select_all, raw_core_select, raw_update, raw_delete, raw_insert)
WAYS = {way.__name__: way for way in (*ORM, *RAW)}


def reached(units: Units, cell: Cell, way: Way) -> bool:
    """Tell whether tenant B reached A's rows this way, with a commit; a refusal is none, any other error fails."""
    placement = Placement(cell.mine.tenant_id, Isolation.ROW, "shared", None, 1)
    with tenant_scope(cell.mine.tenant_id), units.open(Home.CONTENT, TESTER, placement=placement) as unit:
        try:
            seen = way(unit.session, cell)
            unit.commit()
        except PermissionError:
            return False
        except IntegrityError:
            return True  # their row was there to be collided with, or referred to
        except (ProgrammingError, psycopg.errors.InsufficientPrivilege) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            assert getattr(cause, "sqlstate", None) == REFUSED, error
            return False
        except psycopg.errors.IntegrityError:
            return True
        return seen


def ways_for(layer: str) -> tuple[Way, ...]:
    """Return the ways that a layer answers for: the criterion knows nothing of raw SQL."""
    return ORM if layer == "criterion only" else (*ORM, *RAW)


LAYERS = ("both", "policies only", "criterion only", "neither")
CELLS = [
    pytest.param(layer, table, id=f"{layer.replace(' ', '-')}-{table}") for layer in LAYERS for table in sorted(MODELS)
]


@pytest.mark.parametrize(("layer", "table"), CELLS)
def test_cell(
    layer: str,
    table: str,
    postgres_server: Database,
    every_shape: list[Shape],
    planted: Callable[[], Planted],
    outside: psycopg.Connection[Any],
    units_of: UnitsOf,
) -> None:
    """Tenant B reaches no row of tenant A by any verb, with either layer alone; with neither, by every one."""
    shape = next(shape for shape in every_shape if shape.name == table)
    url = postgres_server.app if layer in ("both", "policies only") else postgres_server.superuser
    units = units_of(url, criterion=layer in ("both", "criterion only"))
    a, b = planted(), planted()
    wrong = []
    for way in ways_for(layer):
        cell = Cell(shape, MODELS[table], a.rows[table], a, b)
        before = rows.state(outside, shape, a.tenant_id)
        leaked = reached(units, cell, way)
        changed = rows.state(outside, shape, a.tenant_id) != before
        if (leaked or changed) != (layer == "neither"):
            wrong.append(way.__name__)
        if changed:
            a = planted()
    assert wrong == [], "blind" if layer == "neither" else "leaked"


def test_every_table_is_in_the_matrix(every_shape: list[Shape]) -> None:
    """The matrix has every tenant table of the database."""
    assert MODELS.keys() == {shape.name for shape in every_shape}


def test_a_tenant_reaches_its_own_rows(
    postgres_server: Database, every_shape: list[Shape], planted: Callable[[], Planted], units_of: UnitsOf
) -> None:
    """The ways of the matrix reach what is one's own, with both layers on."""
    units, own = units_of(postgres_server.app), planted()
    for shape in every_shape:
        cell = Cell(shape, MODELS[shape.name], own.rows[shape.name], own, own)
        for way in (w for w in WAYS.values() if w.__name__.startswith(("select", "raw_select", "raw_core"))):
            if way is select_locked and "UPDATE" not in GRANTS.get(shape.name, {"UPDATE"}):
                continue
            assert reached(units, cell, way), (shape.name, way.__name__)
