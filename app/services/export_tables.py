"""What an export holds of each table: every column but secrets, and why those are left out."""

import pkgutil
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib import import_module
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Boolean, Date, DateTime, Integer, LargeBinary, Text, Uuid, inspect
from sqlalchemy.orm import Mapper

from app import models
from app.core import crypto
from app.db.units import Home, Unit
from app.models.tables import Table

HASH = "the keyed hash of a credential"
# table -> why none of it is taken out
TABLES_LEFT_OUT = {
    "control.tenant_keys": "the tenant's data key; what it seals is in the export, in the clear",
}
# table -> column -> why it is left out
COLUMNS_LEFT_OUT = {
    "account.api_key_secrets": {"secret_hash": HASH},
    "account.connections": {
        "secret": "the client's secret at the provider",
        "next_secret": "the client's secret at the provider",
        "test": "the sealed answer of a trial sign-in: claims about a person",
    },
    "account.kept_answers": {"key_hash": HASH, "body_hash": "the keyed hash of a request"},
    "account.scim_tokens": {"secret_hash": HASH},
    "content.kept_answers": {"key_hash": HASH, "body_hash": "the keyed hash of a request"},
}
# What is sealed with the tenant's data key and taken out in the clear: table -> column -> its name in the file.
OPENED = {"content.documents": {"sealed": "text"}}
ROWS = 1_000
# Tables whose rows are large: so many at a time.
FEWER = {"content.documents": 10, "account.kept_answers": 100, "content.kept_answers": 100}
_KINDS: tuple[tuple[type[Any], dict[str, Any]], ...] = (
    (Uuid, {"type": "string", "format": "uuid"}),
    (DateTime, {"type": "string", "format": "date-time"}),
    (Date, {"type": "string", "format": "date"}),
    (Text, {"type": "string"}),
    (Boolean, {"type": "boolean"}),
    (Integer, {"type": "integer"}),
    (LargeBinary, {"type": "string", "contentEncoding": "base64"}),
    (ARRAY, {"type": "array", "items": {"type": "string"}}),
)


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """A table in an export: its name (`home.table`), the columns that are read and the key that orders them."""

    name: str
    home: Home
    model: type[Table]
    columns: tuple[str, ...]
    key: tuple[str, ...]
    chunk: int

    @property
    def file(self) -> str:
        """The name of its file in the archive."""
        return f"{self.name.replace('.', '/')}.ndjson"

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema (2020-12) of a line."""
        opened = OPENED.get(self.name, {})
        given = inspect(self.model).columns
        properties = {
            opened.get(name, name): {"type": ["string", "null"]} if name in opened else _kind(given[name])
            for name in self.columns
        }
        return {
            "type": "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        }


@cache
def exported_tables() -> tuple[ExportedTable, ...]:
    """Return every table that an export holds, in the order of the archive: content, account, control.

    In this order a key or workspace that was made while the content was read is in the export too.
    """
    found = [_described(mapper) for mapper in _mappers()]
    order = ("content", "account", "control")
    return tuple(
        sorted(
            (table for table in found if table.name not in TABLES_LEFT_OUT),
            key=lambda table: (order.index(table.name.split(".")[0]), table.name),
        )
    )


def every_table() -> list[str]:
    """Return the name of every table of both homes, exported or not."""
    return sorted(_named(mapper) for mapper in _mappers())


def line_of(unit: Unit, table: ExportedTable, values: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row as its line holds it: JSON values, moments in UTC, bytes in base64, sealed texts opened.

    A sealed text that does not open any more is null: it takes nothing else with it.
    """
    opened = OPENED.get(table.name, {})
    made = dict(zip(table.columns, values, strict=True))
    line = {name: _value(value) for name, value in made.items() if name not in opened}
    if table.name == "content.documents":
        line[opened["sealed"]] = _document(unit, made)
    return line


def _document(unit: Unit, made: dict[str, Any]) -> str | None:
    try:
        key = unit.keys.data_key(unit.tenant_id)
        plain = crypto.unseal(key, made["sealed"], b"document:" + made["asset_id"].bytes)
    except (crypto.Undecipherable, LookupError):
        return None
    return plain.decode("utf-8", "surrogatepass")


def _mappers() -> Iterator[Mapper[Any]]:
    for module in pkgutil.iter_modules(models.__path__):
        import_module(f"{models.__name__}.{module.name}")
    return iter(Table.registry.mappers)


def _named(mapper: Mapper[Any]) -> str:
    table: Any = mapper.local_table
    return f"{table.schema or 'content'}.{table.name}"


def _described(mapper: Mapper[Any]) -> ExportedTable:
    name = _named(mapper)
    out = COLUMNS_LEFT_OUT.get(name, {})
    columns = tuple(each.key for each in mapper.column_attrs if each.key not in out)
    key = tuple(column.name for column in mapper.primary_key)
    return ExportedTable(name, mapper.class_.home, mapper.class_, columns, key, FEWER.get(name, ROWS))


def _kind(column: Any) -> dict[str, Any]:
    kind = next((schema for kind, schema in _KINDS if isinstance(column.type, kind)), None)
    if kind is None:
        return {}  # any JSON value
    return {**kind, "type": [kind["type"], "null"]} if column.nullable else dict(kind)


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return b64encode(value).decode() if isinstance(value, bytes) else value
