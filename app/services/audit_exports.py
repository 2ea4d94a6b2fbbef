"""Exports of the audit log: streamed by many short reads, complete up to the moment at which they were asked for."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, Text, cast, func, select, tuple_

from app.core.errors import MalformedRequest
from app.core.permissions import Permission
from app.db.units import Home, Unit, Units
from app.models.tables import AuditColumns
from app.services import audit
from app.services.access import require
from app.services.audit import LOGS, EventFilter
from app.services.pages import Position
from app.services.plans import Feature, require_feature
from app.services.signatures import canonical
from app.services.spreadsheets import csv_of

FORMS = ("csv", "ndjson", "sealed")
CHUNK = 1_000
COLUMNS = (
    *("at", "log", "id", "actor_kind", "actor_label", "actor_id", "action", "target_kind", "target_id"),
    *("before", "after", "address", "agent", "request_id"),
)


@dataclass(frozen=True, slots=True)
class Export:
    """An export that was asked for and recorded: of which events, and before which transaction of each home."""

    unit: Unit
    form: str
    wanted: EventFilter
    horizons: dict[Home, int]


def horizon(unit: Unit) -> int:
    """Return the transaction before which every transaction of the unit's home is over: no row arrives there late."""
    edge = func.pg_snapshot_xmin(func.pg_current_snapshot())
    return int(unit.session.execute(select(cast(cast(edge, Text), BigInteger))).scalar_one())


def begin_export(unit: Unit, form: str, wanted: EventFilter) -> Export:
    """Record that the events are taken out, and fix what belongs to the export. Needs tenant:audit:read.

    `form` is csv, ndjson, or sealed: the whole log with its seals. Raises MalformedRequest for any other,
    FeatureMissing where the tenant's plan leaves exports out. The rows are read after the commit.
    """
    require(unit, Permission.AUDIT_READ)
    require_feature(unit, Feature.AUDIT_EXPORT)
    if form not in FORMS:
        raise MalformedRequest("An export is csv, ndjson or sealed.")
    horizons = {home: horizon(unit.at_home(home)) for home in LOGS}
    given = {"action": wanted.action, "actor": wanted.actor, "target_kind": wanted.target_kind}
    days = {
        "from": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
    }
    filters = {name: value for name, value in {**given, **days}.items() if value}
    audit.record(unit, "audit.export", "audit_log", None, after={"format": form, **filters})
    return Export(unit, form, wanted, horizons)


def stream(units: Units, export: Export) -> Iterator[bytes]:
    """Yield the export's text, the oldest event first; in memory is one short read of each home at a time."""
    rows = heapq.merge(*(_rows(units, export, home) for home in LOGS), key=lambda row: (row["at"], row["id"]))
    write = _csv if export.form == "csv" else _ndjson
    if export.form == "csv":
        yield csv_of([COLUMNS])
    while chunk := list(islice(rows, CHUNK)):
        yield write(chunk)


def _rows(units: Units, export: Export, home: Home) -> Iterator[dict[str, Any]]:
    after: Position | None = None
    while True:
        chunk = _read(units, export, home, after)
        yield from (as_record(row, home) for row in chunk)
        if len(chunk) < CHUNK:
            return
        after = Position(chunk[-1].at, chunk[-1].id)


def _read(units: Units, export: Export, home: Home, after: Position | None) -> list[AuditColumns]:
    """Read the next rows in a transaction of their own: a slow reader holds none open."""
    table = LOGS[home]
    statement = select(table).where(*audit.conditions(table, export.wanted), table.transaction < export.horizons[home])
    if after is not None:
        statement = statement.where(tuple_(table.at, table.id) > (after.at, after.id))
    with units.reopen(export.unit, home) as unit:
        return list(unit.session.scalars(statement.order_by(table.at, table.id).limit(CHUNK)))


def as_record(row: AuditColumns, home: Home) -> dict[str, Any]:
    """Return the event as an export shows it: JSON values, moments in UTC to the microsecond."""
    made: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS if name != "log"}
    made["at"] = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    made["log"] = str(home)
    for name in ("id", "actor_id", "target_id"):
        made[name] = None if made[name] is None else str(made[name])
    return made


def _ndjson(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical(row) + b"\n" for row in rows)


def _csv(rows: list[dict[str, Any]]) -> bytes:
    return csv_of([_cell(row[name]) for name in COLUMNS] for row in rows)


def _cell(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else canonical(value).decode()
