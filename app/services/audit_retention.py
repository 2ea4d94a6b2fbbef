"""How long events are kept: what is older than the plan says leaves the log with whole seals, which stay, on record."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import func, select, tuple_

from app.core.permissions import Permission
from app.db import archives
from app.db.units import Unit
from app.models.tables import AuditColumns, RemovalColumns, SealColumns
from app.services import audit
from app.services.access import require
from app.services.audit import LOGS
from app.services.audit_seals import REMOVALS, SEALS, hold_log, last_removal
from app.services.plans import entitlements, plan_of
from app.services.signatures import canonical

BATCH = 2_000
EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days which plan keeps events, and when some were removed last."""

    days: int
    plan: str
    removed_at: datetime | None


def retention(unit: Unit) -> Retention:
    """Return how long the tenant's events are kept. Needs tenant:audit:read."""
    require(unit, Permission.AUDIT_READ)
    plan = plan_of(entitlements(unit).plan)
    last = [found.removed_at for home in REMOVALS if (found := last_removal(unit.at_home(home))) is not None]
    return Retention(plan.retention_days, plan.name, max(last, default=None))


def mark_removal(unit: Unit, key: Ed25519PrivateKey) -> RemovalColumns | None:
    """Write down, signed and as an event, that the unit's log loses what is older than the plan keeps. For the worker.

    Only seals all of whose events are that old are reached. None where there is no such seal, the last removal is less
    than a day old, or a sealer has the log.
    The events are deleted afterwards, by `remove_batch`; an export leaves them out from this commit on.
    """
    last, days = last_removal(unit), plan_of(entitlements(unit).plan).retention_days
    if (last is not None and unit.now() - last.removed_at < EVERY) or not hold_log(unit):
        return None
    edge = unit.now() - timedelta(days=days)
    seal = _last_seal_before(unit, edge)
    if seal is None or (last is not None and seal.number <= last.up_to):
        return None
    number = _events_under(unit, seal)
    body = canonical(_statement(unit, seal, edge)).decode()
    removal = REMOVALS[unit.home](
        up_to=seal.number, body=body, signature=key.sign(body.encode()), removed_at=unit.now()
    )
    unit.session.add(removal)
    after = {"log": str(unit.home), "up_to_seal": seal.number, "events": number, "kept_days": days}
    audit.record(unit, "audit.expire", "audit_log", None, after=after)
    return removal


def remove_batch(unit: Unit) -> int:
    """Delete the next events that a removal has left behind; return how many. For the worker."""
    last = last_removal(unit)
    return 0 if last is None else archives.remove_events(unit, last.up_to, BATCH)


def _last_seal_before(unit: Unit, edge: datetime) -> SealColumns | None:
    """Return the last seal that no event from `edge` on stands under or before."""
    events: type[AuditColumns] = LOGS[unit.home]
    seals: type[SealColumns] = SEALS[unit.home]
    young = select(events.transaction, events.id).where(events.at >= edge)
    first = unit.session.execute(young.order_by(events.transaction, events.id).limit(1)).one_or_none()
    statement = select(seals)
    if first is not None:
        statement = statement.where(tuple_(seals.last_transaction, seals.last_id) < (first[0], first[1]))
    return unit.session.scalar(statement.order_by(seals.number.desc()).limit(1))


def _events_under(unit: Unit, seal: SealColumns) -> int:
    events: type[AuditColumns] = LOGS[unit.home]
    place = tuple_(events.transaction, events.id) <= (seal.last_transaction, seal.last_id)
    return unit.session.scalar(select(func.count()).select_from(events).where(place)) or 0


def _statement(unit: Unit, seal: SealColumns, edge: datetime) -> dict[str, object]:
    """Return what a removal signs: `seal` is the hash of the last one whose events are gone."""
    return {
        "tenant": str(unit.tenant_id),
        "log": str(unit.home),
        "up_to": seal.number,
        "seal": seal.hash.hex(),
        "before": edge.astimezone(UTC).isoformat(timespec="microseconds"),
        "at": unit.now().astimezone(UTC).isoformat(timespec="microseconds"),
    }
