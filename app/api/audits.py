"""The audit log for programs: listed, filtered, page by page."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from app.api.routing import noun_blueprint, resource
from app.api.shapes import Listing, Moment, Paging, Told
from app.core.permissions import Permission
from app.db.units import Unit
from app.models.tables import AuditColumns
from app.services import audit
from app.services.audit import EventFilter

blueprint = noun_blueprint("audits", __name__)


class AuditQuery(Paging):
    """Which events, newest first: each given part must fit; `since` is included, `until` is not."""

    action: str | None = Field(None, max_length=80, examples=["api_key.issue"])
    actor: str | None = Field(None, max_length=320, description="As actor_label tells it: an address, a key's name")
    target_kind: str | None = Field(None, max_length=80, examples=["workspace"])
    since: Moment | None = None
    until: Moment | None = None


class EventView(Told):
    """A change: who did what to which thing, from where. No value holds a secret."""

    id: UUID
    log: Literal["account", "content"]
    at: Moment
    actor_kind: str
    actor_id: UUID | None
    actor_label: str
    action: str
    target_kind: str
    target_id: UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    address: str | None
    agent: str | None
    request_id: str | None


class AuditPage(Listing[EventView]):
    """A page of events."""


@resource(blueprint, "GET", "/audit", Permission.AUDIT_READ, query=AuditQuery, answer=AuditPage)
def index(unit: Unit, query: AuditQuery) -> AuditPage:
    """List the tenant's audit log, newest first."""
    wanted = EventFilter(query.action, query.actor, query.target_kind, query.since, query.until)
    page = audit.list_events(unit, wanted, cursor=query.cursor, size=query.limit)
    return AuditPage(items=[_told(row) for row in page.rows], next_cursor=page.next_cursor)


class ActionCountView(Told):
    """How many events of an action a log holds, the first and the last moment."""

    log: Literal["account", "content"]
    action: str
    events: int
    first_at: Moment
    last_at: Moment


class AuditSummary(Told):
    """Each action that occurs in the tenant's audit log."""

    actions: list[ActionCountView]


@resource(blueprint, "GET", "/audit/summary", Permission.AUDIT_READ, answer=AuditSummary)
def summary(unit: Unit) -> AuditSummary:
    """Count the events of each action, as far as they are kept."""
    return AuditSummary(actions=[ActionCountView.model_validate(one) for one in audit.summarise(unit)])


def _told(row: AuditColumns) -> EventView:
    columns = {name: getattr(row, name) for name in EventView.model_fields if name != "log"}
    return EventView.model_validate({**columns, "log": str(row.home)})  # type: ignore[attr-defined]
