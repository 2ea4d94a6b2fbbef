"""What staff see: tenants as counts, shares and moments, what waits, what fails, and the staff's own log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

NIL = UUID(int=0)


@dataclass(frozen=True, slots=True)
class TenantRow:
    """A tenant as the platform sees it: what it is and how busy, nothing that it holds.

    `percent` is the largest share of one of its quotas, as it was counted at `counted_at`.
    """

    tenant_id: UUID
    slug: str
    name: str
    plan: str
    status: str
    status_reason: str | None
    level: str
    created_at: datetime
    trial_ends_at: datetime | None
    deleted_at: datetime | None
    purge_at: datetime | None
    members: int
    api_keys: int
    scans_queued: int
    scans_running: int
    effects: int
    oldest_effect: datetime | None
    percent: int | None
    quota: str | None
    at_risk: bool
    counted_at: datetime | None
    active_at: datetime | None


@dataclass(frozen=True, slots=True)
class TenantSearch:
    """Which tenants: words in name or slug, or the whole id; a trial over within `ending`. Empty parts fit all."""

    words: str = ""
    plan: str = ""
    status: str = ""
    level: str = ""
    at_risk: bool = False
    ending: timedelta | None = None


@dataclass(frozen=True, slots=True)
class StaffEvent:
    """Something that staff did, with how far an order has come; `waiting` until the worker has carried it out."""

    id: UUID
    at: datetime
    staff_label: str
    action: str
    tenant_id: UUID | None
    slug: str | None
    reason: str | None
    detail: dict[str, Any] | None
    address: str | None
    done_at: datetime | None
    waiting: bool
    last_error: str | None
    attempts: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventSearch:
    """Which events: of a tenant, by whom, of what action, from a moment until before another. Empty parts fit all."""

    tenant_id: UUID | None = None
    who: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """A figure of one tenant in place of its plan's; `value` None is unlimited, `until` None is for good."""

    id: UUID
    kind: str
    name: str
    value: int | None
    reason: str
    until: datetime | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A plan that a tenant asks for; `ordered` while the decision is on its way."""

    tenant_id: UUID
    slug: str
    name: str
    status: str
    present: str
    id: UUID
    plan: str
    plan_before: str
    note: str
    asked_at: datetime
    ordered: bool


@dataclass(frozen=True, slots=True)
class Figure:
    """How many tenants have a status and a plan."""

    status: str
    plan: str
    tenants: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much work of one kind waits, and since when the oldest."""

    part: str
    waiting: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker process, and when it was heard of last."""

    name: str
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class StuckEffect:
    """An effect that fails again and again, or that nobody takes; `problem` is the class of the last error."""

    tenant_id: UUID
    slug: str | None
    home: str
    id: UUID
    kind: str
    since: datetime
    due_at: datetime
    attempts: int
    problem: str | None
    ordered: bool


@dataclass(frozen=True, slots=True)
class StuckScan:
    """A scan that has stood still for longer than it may; `ordered` while an order to cancel it is on its way."""

    tenant_id: UUID
    slug: str | None
    scan_id: UUID
    workflow_id: str
    status: str
    since: datetime
    ordered: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """What a tenant uses of its plan: `lines` of quota, used, limit and whether the limit was agreed on."""

    at: datetime
    lines: list[dict[str, Any]]


_NOTE = text("SELECT auth.staff_note(:id, :who, :action, :reason, :about, :address, :agent, :request)").bindparams(
    bindparam("about", type_=JSONB(none_as_null=True))
)


def note(
    session: Session,
    event_id: UUID,
    who: str,
    action: str,
    reason: str | None,
    *,
    address: str | None,
    agent: str | None,
    request_id: str | None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write down what a member of staff did."""
    values = {"id": event_id, "who": who, "action": action, "reason": reason, "about": about and dict(about)}
    session.execute(_NOTE, {**values, "address": address, "agent": agent, "request": request_id})


def log(
    session: Session,
    wanted: EventSearch | None = None,
    *,
    before: tuple[datetime, UUID] | None = None,
    most: int = 50,
) -> list[StaffEvent]:
    """Return what staff did, newest first; `before` is the last one already shown."""
    at, event_id = before or (None, None)
    given = wanted or EventSearch()
    rows = session.execute(
        text("SELECT * FROM auth.staff_log(:tenant, :who, :action, :since, :until, :at, :id, :most)"),
        {
            "tenant": given.tenant_id,
            "who": given.who,
            "action": given.action,
            "since": given.since,
            "until": given.until,
            "at": at,
            "id": event_id,
            "most": most,
        },
    )
    return [StaffEvent(**row._mapping) for row in rows]


def actions(session: Session) -> list[str]:
    """Return every action that stands in the staff's log."""
    return list(session.scalars(text("SELECT auth.staff_actions()")))


def tenants(
    session: Session, wanted: TenantSearch, *, after: tuple[str, UUID] | None = None, most: int = 50
) -> list[TenantRow]:
    """Return tenants by name; `after` is the last one already shown."""
    name, last_id = after or ("", NIL)
    rows = session.execute(
        text("SELECT * FROM auth.staff_tenants(:words, :plan, :status, :level, :risky, :ending, :name, :id, :most)"),
        {**_filters(wanted), "name": name, "id": last_id, "most": most},
    )
    return [TenantRow(**row._mapping) for row in rows]


def count_tenants(session: Session, wanted: TenantSearch, *, most: int) -> int:
    """Return how many tenants `tenants` would list, counted to `most`."""
    call = text("SELECT auth.staff_count(:words, :plan, :status, :level, :risky, :ending, :most)")
    return int(session.execute(call, {**_filters(wanted), "most": most}).scalar_one())


def _filters(wanted: TenantSearch) -> dict[str, Any]:
    return {
        "words": wanted.words,
        "plan": wanted.plan,
        "status": wanted.status,
        "level": wanted.level,
        "risky": wanted.at_risk,
        "ending": wanted.ending,
    }


def tenant(session: Session, tenant_id: UUID) -> TenantRow | None:
    """Return the tenant."""
    call = text("SELECT * FROM auth.staff_tenant(:tenant)")
    row = session.execute(call, {"tenant": tenant_id}).one_or_none()
    return None if row is None else TenantRow(**row._mapping)


def usage(session: Session, tenant_id: UUID) -> Counted | None:
    """Return what the tenant uses of its plan, as the worker counted it last; None before the first time."""
    row = session.execute(text("SELECT * FROM auth.staff_usage(:tenant)"), {"tenant": tenant_id}).one_or_none()
    return None if row is None else Counted(row.at, row.lines)


def overrides(session: Session, tenant_id: UUID) -> list[OverrideRow]:
    """Return what was agreed on with the tenant and is in force, by kind and name."""
    rows = session.execute(text("SELECT * FROM auth.staff_overrides(:tenant)"), {"tenant": tenant_id})
    return [OverrideRow(**row._mapping) for row in rows]


def requests(
    session: Session, *, tenant_id: UUID | None = None, after: tuple[datetime, UUID] | None = None, most: int = 50
) -> list[RequestRow]:
    """Return the plans that are asked for, the oldest first; `after` is the last one already shown."""
    at, request_id = after or (None, None)
    rows = session.execute(
        text("SELECT * FROM auth.staff_requests(:tenant, :at, :id, :most)"),
        {"tenant": tenant_id, "at": at, "id": request_id, "most": most},
    )
    return [RequestRow(**row._mapping) for row in rows]


def count_requests(session: Session) -> int:
    """Return how many plans are asked for."""
    return int(session.execute(text("SELECT auth.staff_waiting()")).scalar_one())


def figures(session: Session) -> list[Figure]:
    """Return how many tenants have each status and plan."""
    return [Figure(**row._mapping) for row in session.execute(text("SELECT * FROM auth.staff_figures()"))]


def backlog(session: Session) -> list[Backlog]:
    """Return what waits to be done, of each kind."""
    return [Backlog(**row._mapping) for row in session.execute(text("SELECT * FROM auth.staff_backlog()"))]


def workers(session: Session) -> list[WorkerSeen]:
    """Return the workers of the last day, the one heard of last first."""
    return [WorkerSeen(**row._mapping) for row in session.execute(text("SELECT * FROM auth.staff_workers()"))]


def stuck_effects(
    session: Session, *, tries: int, late: timedelta, effect_id: UUID | None = None, most: int = 50
) -> list[StuckEffect]:
    """Return the effects that failed `tries` times or are overdue by more than `late`, the oldest first."""
    rows = session.execute(
        text("SELECT * FROM auth.staff_stuck_effects(:tries, :late, :id, :most)"),
        {"tries": tries, "late": late, "id": effect_id, "most": most},
    )
    return [StuckEffect(**row._mapping) for row in rows]


def stuck_scans(
    session: Session, *, unbegun: timedelta, unended: timedelta, scan_id: UUID | None = None, most: int = 50
) -> list[StuckScan]:
    """Return the scans that were admitted `unbegun` ago and have not begun, or have run for longer than `unended`."""
    rows = session.execute(
        text("SELECT * FROM auth.staff_stuck_scans(:unbegun, :unended, :id, :most)"),
        {"unbegun": unbegun, "unended": unended, "id": scan_id, "most": most},
    )
    return [StuckScan(**row._mapping) for row in rows]
