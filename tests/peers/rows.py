"""Plants one row in every tenant table, its values found from the catalogue: a new table needs no word here."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb

from app.core.ids import new_id
from tests.peers import catalogue

LITERAL = re.compile(r"'([^']*)'::text")
BY_NAME = {"slug": lambda: f"t-{secrets.token_hex(6)}", "schema_name": lambda: "shared"}


@dataclass(frozen=True)
class Shape:
    """A tenant table: the column of its tenant, its columns with their types, choices and references."""

    name: str
    tenant: str
    kinds: dict[str, str]
    key: tuple[str, ...]
    choices: dict[str, str]
    references: dict[str, tuple[str, str]]

    def fresh(self, column: str) -> Any:
        """Return a value for `column` that no row has yet."""
        if column in BY_NAME:
            return BY_NAME[column]()
        if column in self.choices:
            return self.choices[column]
        return VALUES[self.kinds[column]]()

    @property
    def changeable(self) -> str:
        """A column that any other value would fit."""
        fixed = {self.tenant, *self.key, *self.choices, *self.references, "slug", "level"}
        return next(column for column, kind in self.kinds.items() if column not in fixed and kind != "uuid")


VALUES = {
    "uuid": new_id,
    "text": lambda: f"x{secrets.token_hex(6)}",
    "integer": lambda: 1 + secrets.randbelow(1_000_000),
    "bigint": lambda: secrets.randbelow(1_000_000),
    "date": lambda: date(2000, 1, 1) + timedelta(days=secrets.randbelow(9_000)),
    "boolean": lambda: False,
    "bytea": lambda: secrets.token_bytes(16),
    "jsonb": lambda: Jsonb([]),
    "text[]": lambda: [],
    "timestamp with time zone": lambda: datetime.now(UTC),
    "interval": lambda: timedelta(hours=1),
}


def shapes(superuser: str) -> list[Shape]:
    """Return every tenant table, each after those that it refers to."""
    with psycopg.connect(superuser, row_factory=namedtuple_row) as connection:
        found = [shape_of(connection, *row) for row in catalogue.tables(connection)]
    ordered: list[Shape] = []
    while found:
        done = {shape.name for shape in ordered}
        ready = next(s for s in found if all(t in done for t, _column in s.references.values()))
        ordered.append(ready)
        found.remove(ready)
    return ordered


def shape_of(connection: catalogue.Connection, oid: int, name: str, tenant: str) -> Shape:
    """Return one table's shape."""
    columns = connection.execute(
        "SELECT attname, format_type(atttypid, -1) AS kind FROM pg_attribute "
        "WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [oid],
    ).fetchall()
    key = connection.execute(
        "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) "
        "WHERE i.indrelid = %s AND i.indisprimary",
        [oid],
    ).fetchall()
    choices, references = {}, {}
    for row in connection.execute(
        "SELECT contype::text AS kind, pg_get_constraintdef(oid) AS body, confrelid::regclass::text AS target, "
        "ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY k(n, i) JOIN pg_attribute a "
        "ON a.attrelid = conrelid AND a.attnum = k.n ORDER BY i) AS here, "
        "ARRAY(SELECT attname::text FROM unnest(confkey) WITH ORDINALITY k(n, i) JOIN pg_attribute a "
        "ON a.attrelid = confrelid AND a.attnum = k.n ORDER BY i) AS there "
        "FROM pg_constraint WHERE conrelid = %s AND contype IN ('c', 'f')",
        [oid],
    ):
        if row.kind == "f":
            references |= {here: (row.target, there) for here, there in zip(row.here, row.there, strict=True)}
        elif LITERAL.search(row.body) and len(row.here) == 1:
            choices[row.here[0]] = LITERAL.search(row.body)[1]
    references = {column: target for column, target in references.items() if column != tenant or target[0] != name}
    return Shape(name, tenant, {c.attname: c.kind for c in columns}, tuple(k.attname for k in key), choices, references)


@dataclass
class Planted:
    """One tenant with a row in every table, as values by table and column."""

    tenant_id: UUID
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)


def values(shape: Shape, tenant_id: UUID, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a new row of `shape` for the tenant that refers to `rows`."""
    made: dict[str, Any] = {}
    for column in shape.kinds:
        if column == shape.tenant:
            made[column] = tenant_id
        elif column in shape.references:
            table, there = shape.references[column]
            made[column] = rows[table][there]
        elif column == "workspace_id":
            made[column] = tenant_id  # the default workspace has the tenant's own id
        else:
            made[column] = shape.fresh(column)
    return made


def insert(connection: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    """Insert a row."""
    places = ", ".join(f"%({column})s" for column in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})".encode(), row)


def plant(connection: psycopg.Connection[Any], every: list[Shape]) -> Planted:
    """Make a tenant with a row in every table, within the tenant's own scope, and commit."""
    tenant = Planted(new_id())
    connection.execute("SELECT set_config('app.current_tenant', %s, true)", [str(tenant.tenant_id)])
    for shape in every:
        tenant.rows[shape.name] = values(shape, tenant.tenant_id, tenant.rows)
        insert(connection, shape.name, tenant.rows[shape.name])
    connection.commit()
    return tenant


def state(connection: psycopg.Connection[Any], shape: Shape, tenant_id: UUID) -> list[Any]:
    """Return all rows of a tenant in one table, as seen from outside."""
    found = connection.execute(f"SELECT * FROM {shape.name} WHERE {shape.tenant} = %s".encode(), [tenant_id]).fetchall()
    connection.rollback()
    return sorted(found, key=str)
