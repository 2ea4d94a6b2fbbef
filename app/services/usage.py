"""Usage: API calls as they happen, and what was used per UTC day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from app.core.ids import new_id
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.findings import Finding
from app.models.scans import Scan
from app.models.usage import ApiCall
from app.services.access import require
from app.services.findings import day_bounds
from app.services.pages import Page, newest_first
from app.tenancy.actors import ActorKind


@dataclass(frozen=True, slots=True)
class Series:
    """A number for each day of a span, days without rows included; `total` is the number of rows behind it."""

    name: str
    days: Sequence[tuple[date, int]]

    @property
    def total(self) -> int:
        return sum(number for _day, number in self.days)


def note_call(
    unit: Unit, *, method: str, endpoint: str, status: int, microseconds: int, verdict: str | None = None
) -> datetime:
    """Write down one authenticated call of the JSON API, in the unit's transaction; the moment it is written under.

    A plain INSERT: through the ORM's flush it cost a quarter of the whole request besides the view.
    """
    at = unit.now()
    unit.session.execute(
        _CALL,
        {
            "id": new_id(),
            "at": at,
            "workspace": unit.actor.workspace_id,
            "key": unit.actor.id if unit.actor.kind is ActorKind.KEY else None,
            "name": unit.actor.label,
            "method": method,
            "endpoint": endpoint,
            "status": status,
            "microseconds": microseconds,
            "request": unit.actor.request_id or "",
            "verdict": verdict,
        },
    )
    return at


_CALL = text(
    "INSERT INTO api_calls "
    "(id, workspace_id, at, key_id, key_name, method, endpoint, status, microseconds, request_id, verdict) "
    "VALUES (:id, :workspace, :at, :key, :name, :method, :endpoint, :status, :microseconds, :request, :verdict)"
)


def daily(unit: Unit, *, days: int = 30) -> dict[str, Series]:
    """Return calls, scans and new findings per UTC day, the last `days` days up to today. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    columns: dict[str, InstrumentedAttribute[datetime]] = {
        "calls": ApiCall.at,
        "scans": Scan.created_at,
        "findings": Finding.first_seen_at,
    }
    return {name: _series(unit, name, column, days) for name, column in columns.items()}


def calls_of_key(unit: Unit, key_id: UUID, *, days: int = 30) -> Series:
    """Return one key's calls per UTC day, the last `days` days up to today. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    return _series(unit, "calls", ApiCall.at, days, ApiCall.key_id == key_id)


@dataclass(frozen=True, slots=True)
class Share:
    """Who or what a number of rows belongs to: a key, an endpoint or a person."""

    name: str
    id: UUID | None
    number: int


MOST_SHARES = 20


def calls_by_key(unit: Unit, *, days: int = 30) -> list[Share]:
    """Return calls of the last `days` days by key, the busiest 20 first. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    number = func.count()
    grouped = select(func.max(ApiCall.key_name).label("name"), ApiCall.key_id.label("key"), number.label("number"))
    rows = unit.session.execute(
        grouped.where(ApiCall.at >= _since(unit, days))
        .group_by(ApiCall.key_id)
        .order_by(number.desc())
        .limit(MOST_SHARES)
    )
    return [Share(row.name, row.key, row.number) for row in rows]


def calls_by_endpoint(unit: Unit, *, days: int = 30) -> list[Share]:
    """Return calls of the last `days` days by endpoint, the busiest 20 first. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    number = func.count()
    rows = unit.session.execute(
        select(ApiCall.endpoint.label("name"), number.label("number"))
        .where(ApiCall.at >= _since(unit, days))
        .group_by(ApiCall.endpoint)
        .order_by(number.desc())
        .limit(MOST_SHARES)
    )
    return [Share(row.name, None, row.number) for row in rows]


def scans_by_person(unit: Unit, *, days: int = 30) -> list[Share]:
    """Return scans of the last `days` days by who asked for them, the busiest 20 first. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    number = func.count()
    rows = unit.session.execute(
        select(Scan.requested_by.label("name"), number.label("number"))
        .where(Scan.created_at >= _since(unit, days))
        .group_by(Scan.requested_by)
        .order_by(number.desc())
        .limit(MOST_SHARES)
    )
    return [Share(row.name, None, row.number) for row in rows]


def calls_table(unit: Unit, *, days: int = 30) -> list[tuple[date, str, str, int]]:
    """Return calls by UTC day, key and endpoint, the last `days` days up to today. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    day: ColumnElement[datetime] = func.date_trunc("day", ApiCall.at, "UTC")
    rows = unit.session.execute(
        select(day.label("day"), ApiCall.key_name.label("key"), ApiCall.endpoint.label("endpoint"), func.count())
        .where(ApiCall.at >= _since(unit, days))
        .group_by(day, ApiCall.key_name, ApiCall.endpoint)
        .order_by(day, ApiCall.key_name, ApiCall.endpoint)
    )
    return [(moment.astimezone(UTC).date(), key, endpoint, number) for moment, key, endpoint, number in rows]


def _since(unit: Unit, days: int) -> datetime:
    first = unit.now().astimezone(UTC).date() - timedelta(days=days - 1)
    return datetime(first.year, first.month, first.day, tzinfo=UTC)


def of_workspace(unit: Unit, workspace_id: UUID, *, days: int = 30) -> dict[str, Series]:
    """Return one workspace's calls, scans and new findings per UTC day, as `daily`. Needs tenant:usage:read."""
    require(unit, Permission.USAGE_READ)
    return {
        "calls": _series(unit, "calls", ApiCall.at, days, ApiCall.workspace_id == workspace_id),
        "scans": _series(unit, "scans", Scan.created_at, days, Scan.workspace_id == workspace_id),
        "findings": _series(unit, "findings", Finding.first_seen_at, days, Finding.workspace_id == workspace_id),
    }


def _series(
    unit: Unit, name: str, column: InstrumentedAttribute[datetime], days: int, *only: ColumnElement[bool]
) -> Series:
    today = unit.now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=UTC)
    day: ColumnElement[datetime] = func.date_trunc("day", column, "UTC")
    rows = unit.session.execute(select(day, func.count()).where(column >= since, *only).group_by(day))
    found = {moment.astimezone(UTC).date(): number for moment, number in rows}
    span = [first + timedelta(days=step) for step in range(days)]
    return Series(name, [(each, found.get(each, 0)) for each in span])


def list_calls(
    unit: Unit,
    *,
    day: str | None = None,
    key_id: UUID | None = None,
    endpoint: str | None = None,
    month: Literal["calls", "texts"] | None = None,
    cursor: str | None = None,
    size: int = 50,
    counted: bool = False,
) -> Page[ApiCall]:
    """Return API calls, newest first: of one key, to one endpoint, or this month's, all or those that checked a text.

    Needs tenant:usage:read.
    """
    require(unit, Permission.USAGE_READ)
    binding = f"calls:{day}:{key_id}:{endpoint}:{month}"
    statement = select(ApiCall)
    if endpoint is not None:
        statement = statement.where(ApiCall.endpoint == endpoint)
    if month is not None:
        statement = statement.where(ApiCall.at >= func.date_trunc("month", func.clock_timestamp(), "UTC"))
    if month == "texts":
        statement = statement.where(ApiCall.verdict.in_(("blocked", "allowed")))
    if key_id is not None:
        statement = statement.where(ApiCall.key_id == key_id)
    if day is not None:
        since, until = day_bounds(day)
        statement = statement.where(ApiCall.at >= since, ApiCall.at < until)
    return newest_first(
        unit, statement, ApiCall.at, ApiCall.id, binding=binding, cursor=cursor, size=size, counted=counted
    )
