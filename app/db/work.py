"""Which tenants have work, for the worker alone: ids, whose rows are then read as the tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True, slots=True)
class ClaimedEffect:
    """An outbox row that this relay may carry out until its lease ends."""

    tenant_id: UUID
    home: str
    kind: str
    id: UUID


@dataclass(frozen=True, slots=True)
class OpenScan:
    """A scan that is not over, wherever its tenant lives."""

    tenant_id: UUID
    scan_id: UUID
    workflow_id: str
    status: str
    admitted: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Hands:
    """What a relay has in hand: tenants in `full` get nothing more, those in `held` `spare` effects together.

    `weights` are the plans' priorities by name; a plan without one weighs 1.
    """

    weights: Mapping[str, int]
    full: list[UUID]
    held: list[UUID]
    spare: int


def claim_effects(session: Session, kinds: list[str], most: int, lease: timedelta, hands: Hands) -> list[ClaimedEffect]:
    """Take due effects until `lease` is over: at most `most`, at most one of each tenant, the oldest of `kinds`.

    The tenants come by how long ago each was served last, times its plan's weight.
    """
    given = {
        "kinds": kinds,
        "most": most,
        "lease": lease,
        "plans": list(hands.weights),
        "weights": list(hands.weights.values()),
        "full": hands.full,
        "held": hands.held,
        "spare": hands.spare,
    }
    rows = session.execute(
        text(
            "SELECT * FROM auth.claim_effects(:kinds, :most, :lease, :plans, :weights, "
            "CAST(:full AS uuid[]), CAST(:held AS uuid[]), :spare)"
        ),
        given,
    )
    return [ClaimedEffect(row.tenant_id, row.home, row.kind, row.id) for row in rows]


def list_open_scans(session: Session, older_than: timedelta) -> list[OpenScan]:
    """Return scans that have been in their present state for longer than `older_than`, oldest first.

    All that were admitted; of a tenant whose scans all wait, the first.
    """
    rows = session.execute(text("SELECT * FROM auth.list_open_scans(:age)"), {"age": older_than})
    return [OpenScan(row.tenant_id, row.scan_id, row.workflow_id, row.status, row.admitted, row.since) for row in rows]


def tenants_at_work(session: Session) -> dict[UUID, str]:
    """Return the tenants that have a scan admitted and not over, each with the name of its plan."""
    return {row.tenant_id: row.plan for row in session.execute(text("SELECT * FROM auth.tenants_at_work()"))}
