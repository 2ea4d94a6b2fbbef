"""The audit log: one row per change, in the change's own transaction; listed newest first."""

import json
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.orm import InstrumentedAttribute

from app.core.ids import new_id
from app.core.permissions import Permission
from app.db.units import Home, Unit
from app.models.accounts import AccountAuditEvent
from app.models.tables import AuditColumns
from app.models.trails import AuditEvent
from app.services.access import require
from app.services.pages import Page, before, cut, decode_cursor

LOGS: dict[Home, type[AuditEvent] | type[AccountAuditEvent]] = {
    Home.ACCOUNT: AccountAuditEvent,
    Home.CONTENT: AuditEvent,
}
MOST_CHOICES = 200


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: each given part must fit; `since` is included, `until` is not."""

    action: str | None = None
    actor: str | None = None
    target_kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = EventFilter()


@dataclass(frozen=True, slots=True)
class Choices:
    """What occurs in the tenant's log, at most 200 of each, in alphabetical order."""

    actions: list[str]
    actors: list[str]
    target_kinds: list[str]


@dataclass(frozen=True, slots=True)
class ActionCount:
    """How many events of an action a log holds, the first and the last moment."""

    log: str
    action: str
    events: int
    first_at: datetime
    last_at: datetime


def record(
    unit: Unit,
    action: str,
    target_kind: str,
    target_id: UUID | None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write down that the unit's actor did `action` (`noun.verb`) to the target. Values hold no secret."""
    said = {
        "before": None if before is None else dict(before),
        "after": None if after is None else dict(after),
    }
    unit.session.add(LOGS[unit.home](**_event(unit, action, target_kind, target_id), **said))


def record_last(unit: Unit, action: str, target_kind: str, target_id: UUID, *, after: Mapping[str, Any]) -> None:
    """As `record`, in the content home, with the unit's commit and in its round trip: for what is done all the time."""
    said = {"tenant": unit.tenant_id, "id": new_id(), "after": json.dumps(after)}
    unit.write_last(_EVENT, {**_event(unit, action, target_kind, target_id), **said})


def _event(unit: Unit, action: str, target_kind: str, target_id: UUID | None) -> dict[str, Any]:
    """Return who did what to which target, when and from where."""
    actor = unit.actor
    return {
        "at": unit.now(),
        "actor_kind": str(actor.kind),
        "actor_id": actor.id,
        "actor_label": actor.label,
        "action": action,
        "target_kind": target_kind,
        "target_id": target_id,
        "address": actor.address,
        "agent": actor.agent,
        "request_id": actor.request_id,
    }


_EVENT = text(
    "INSERT INTO audit_events (tenant_id, id, at, actor_kind, actor_id, actor_label, action, target_kind, target_id, "
    "after, address, agent, request_id) VALUES (:tenant, :id, :at, :actor_kind, :actor_id, :actor_label, :action, "
    ":target_kind, :target_id, CAST(:after AS jsonb), :address, :agent, :request_id)"
)


def conditions(table: type[AuditColumns], wanted: EventFilter) -> list[ColumnElement[bool]]:
    """Return what a row of `table` must fulfil to be `wanted`."""
    pairs: list[tuple[InstrumentedAttribute[str], str | None]] = [
        (table.action, wanted.action),
        (table.actor_label, wanted.actor),
        (table.target_kind, wanted.target_kind),
    ]
    found: list[ColumnElement[bool]] = [column == value for column, value in pairs if value is not None]
    if wanted.since is not None:
        found.append(table.at >= wanted.since)
    if wanted.until is not None:
        found.append(table.at < wanted.until)
    return found


def list_events(
    unit: Unit, wanted: EventFilter = EVERYTHING, *, cursor: str | None = None, size: int = 50
) -> Page[AuditColumns]:
    """Return the wanted events of both homes, newest first. Needs tenant:audit:read."""
    require(unit, Permission.AUDIT_READ)
    binding = "audit:" + "\0".join(str(part) for part in astuple(wanted))
    after = decode_cursor(unit, cursor, binding)
    rows: list[AuditColumns] = []
    for home, table in LOGS.items():
        statement = select(table).where(*conditions(table, wanted)).order_by(table.at.desc(), table.id.desc())
        if after is not None:
            statement = statement.where(before(table.at, table.id, after))
        rows += unit.at_home(home).session.scalars(statement.limit(size + 1))
    rows.sort(key=lambda row: (row.at, row.id), reverse=True)
    return cut(unit, rows[: size + 1], size, binding, lambda row: (row.at, row.id))


def summarise(unit: Unit) -> list[ActionCount]:
    """Return how often each action occurred and when, by home and action. Needs tenant:audit:read."""
    require(unit, Permission.AUDIT_READ)
    counts: list[ActionCount] = []
    for home, statement in _SUMMARIES.items():
        rows = unit.at_home(home).session.execute(statement, {"tenant": unit.tenant_id})
        counts += [ActionCount(str(home), row.action, row.events, row.first_at, row.last_at) for row in rows]
    return counts


# The views of document C ("Audit summary per tenant"); the criterion is written out, since it is no table of the ORM.
_SUMMARIES = {
    Home.ACCOUNT: text(
        "SELECT action, events, first_at, last_at FROM account.v_tenant_audit_summary "
        "WHERE tenant_id = :tenant ORDER BY action"
    ),
    Home.CONTENT: text(
        "SELECT action, events, first_at, last_at FROM v_tenant_audit_summary WHERE tenant_id = :tenant ORDER BY action"
    ),
}


def list_choices(unit: Unit) -> Choices:
    """Return the actions, actors and kinds of target that occur. Needs tenant:audit:read."""
    require(unit, Permission.AUDIT_READ)
    return Choices(
        _distinct(unit, lambda table: table.action),
        _distinct(unit, lambda table: table.actor_label),
        _distinct(unit, lambda table: table.target_kind),
    )


def _distinct(unit: Unit, column: Callable[[type[AuditColumns]], InstrumentedAttribute[str]]) -> list[str]:
    """Return the values of a column by one look into its index for each, however many rows there are."""
    values: set[str] = set()
    for home, table in LOGS.items():
        wanted = column(table)
        first = select(func.min(wanted).label("value")).cte(recursive=True)
        following = select(func.min(wanted)).where(wanted > first.c.value).correlate(first).scalar_subquery()
        walk = first.union_all(select(following).where(first.c.value.is_not(None)))
        found = select(walk.c.value).where(walk.c.value.is_not(None)).limit(MOST_CHOICES)
        values |= set(unit.at_home(home).session.scalars(found))
    return sorted(values)[:MOST_CHOICES]
