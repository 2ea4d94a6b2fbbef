"""Keyset pages: cursors bound to tenant and filter, so that one that was made elsewhere opens nothing."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from app.core.errors import MalformedRequest
from app.db.units import Unit

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Position:
    """The last row of a page: its moment and id."""

    at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, the cursor of those that follow (None at the end), how many there are in all where that was counted."""

    rows: list[T]
    next_cursor: str | None
    count: int | None = None


COUNTED = 10_001  # beyond it, a list reads "10,000+"


def count_rows(unit: Unit, statement: Select[Any]) -> int:
    """Return how many rows `statement` has, at most 10,001."""
    few = statement.limit(COUNTED).subquery()
    return unit.session.scalar(select(func.count()).select_from(few)) or 0


def count_each(unit: Unit, statements: Mapping[str, Select[Any]]) -> dict[str, int]:
    """Return how many rows each statement has, at most 10,001, all in one round trip."""
    if not statements:
        return {}
    counted = [
        select(func.count()).select_from(statement.limit(COUNTED).subquery()).scalar_subquery().label(name)
        for name, statement in statements.items()
    ]
    return dict(unit.session.execute(select(*counted)).one()._mapping)


def _mark(unit: Unit, binding: str, body: bytes) -> bytes:
    message = unit.tenant_id.bytes + binding.encode() + b"\0" + body
    return hmac.new(unit.keys.data_key(unit.tenant_id), message, hashlib.sha256).digest()[:12]


def encode_cursor(unit: Unit, position: Position, binding: str) -> str:
    """Return a cursor for `position` that holds for this tenant and this list (`binding` names list and filters)."""
    body = json.dumps([position.at.isoformat(), str(position.id)], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mark(unit, binding, body) + body).decode().rstrip("=")


def decode_cursor(unit: Unit, cursor: str | None, binding: str) -> Position | None:
    """Return where the page begins. Raises MalformedRequest for a cursor of another tenant, list or filter."""
    if not cursor:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        mark, body = raw[:12], raw[12:]
        if not hmac.compare_digest(mark, _mark(unit, binding, body)):
            raise ValueError("not ours")
        at, row_id = json.loads(body)
        return Position(datetime.fromisoformat(at), UUID(row_id))
    except (ValueError, TypeError) as error:
        raise MalformedRequest("The cursor does not belong to this list.") from error


def before(
    at: InstrumentedAttribute[datetime], row_id: InstrumentedAttribute[UUID], position: Position
) -> ColumnElement[bool]:
    """Return the condition of rows that follow `position` in a list that has the newest first."""
    return tuple_(at, row_id) < (position.at, position.id)


def newest_first(
    unit: Unit,
    statement: Select[T],
    at: InstrumentedAttribute[datetime],
    row_id: InstrumentedAttribute[UUID],
    *,
    binding: str,
    cursor: str | None,
    size: int,
    counted: bool = False,
) -> Page[T]:
    """Return the page of `statement`'s rows that begins at `cursor`, by the moment `at` and then by id, newest first.

    Raises MalformedRequest for a cursor of another tenant, list or filter.
    """
    count = count_rows(unit, statement) if counted else None
    if position := decode_cursor(unit, cursor, binding):
        statement = statement.where(before(at, row_id, position))
    rows = unit.session.scalars(statement.order_by(at.desc(), row_id.desc()).limit(size + 1)).all()
    return cut(unit, rows, size, binding, lambda row: (getattr(row, at.key), getattr(row, row_id.key)), count)


def cut(
    unit: Unit,
    rows: Sequence[T],
    size: int,
    binding: str,
    key: Callable[[T], tuple[datetime, UUID]],
    count: int | None = None,
) -> Page[T]:
    """Return a page of `size` from rows fetched as `size + 1`."""
    if len(rows) <= size:
        return Page(list(rows), None, count)
    kept = list(rows[:size])
    at, row_id = key(kept[-1])
    return Page(kept, encode_cursor(unit, Position(at, row_id), binding), count)
