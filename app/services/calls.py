"""Calls of the JSON API: one row each, written with what the call changed, or a moment later with many others."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text

from app.core.ids import new_id
from app.db.units import Unit
from app.tenancy.actors import Actor, ActorKind


class Call(NamedTuple):
    """An authenticated call: `endpoint` is its route, `microseconds` the time it took, `verdict` the guard's."""

    id: UUID
    at: datetime
    workspace_id: UUID | None
    key_id: UUID | None
    key_name: str
    method: str
    endpoint: str
    status: int
    microseconds: int
    request_id: str
    verdict: str | None


def call_of(
    actor: Actor,
    at: datetime,
    *,
    method: str,
    endpoint: str,
    status: int,
    microseconds: int,
    verdict: str | None = None,
) -> Call:
    """Return the call that `actor` made."""
    key_id = actor.id if actor.kind is ActorKind.KEY else None
    request_id = actor.request_id or ""
    return Call(
        new_id(),
        at,
        actor.workspace_id,
        key_id,
        actor.label,
        method,
        endpoint,
        status,
        microseconds,
        request_id,
        verdict,
    )


def write_call(unit: Unit, call: Call) -> None:
    """Write the call down with the unit's commit, in its round trip."""
    unit.write_last(_CALL, call._asdict())


def write_calls(unit: Unit, calls: Iterable[Call]) -> None:
    """Write calls down at once, by one statement."""
    rows = [call._asdict() for call in calls]
    if rows:
        unit.session.execute(_CALLS, {"calls": json.dumps(rows, default=str)})


# Plain statements: through the ORM's flush they cost a quarter of the whole request besides the view.
_CALL = text(
    "INSERT INTO api_calls "
    "(id, at, workspace_id, key_id, key_name, method, endpoint, status, microseconds, request_id, verdict) "
    "VALUES (:id, :at, :workspace_id, :key_id, :key_name, :method, :endpoint, :status, :microseconds, :request_id, "
    ":verdict)"
)
_CALLS = text(
    "INSERT INTO api_calls "
    "(id, at, workspace_id, key_id, key_name, method, endpoint, status, microseconds, request_id, verdict) "
    "SELECT id, at, workspace_id, key_id, key_name, method, endpoint, status, microseconds, request_id, verdict "
    "FROM jsonb_to_recordset(CAST(:calls AS jsonb)) AS c (id uuid, at timestamptz, workspace_id uuid, key_id uuid, "
    "key_name text, method text, endpoint text, status integer, microseconds bigint, request_id text, verdict text)"
)
