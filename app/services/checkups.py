"""How the platform does, as the directory knows it: workers, what waits, what fails, what stands still."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.db import oversight
from app.db.oversight import Backlog, StuckEffect, StuckScan, WorkerSeen

# A worker tells every five seconds that it lives.
SEEN_LATELY = timedelta(seconds=30)
# The relay tries again after 2, 4, 8 … seconds: what failed three times is not a passing thing.
TRIES = 3
LATE = timedelta(minutes=2)
# A worker takes an admitted scan up at once, and no probe may run for as long as half an hour.
UNBEGUN = timedelta(minutes=2)
UNENDED = timedelta(minutes=30)
MOST = 50


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found: workers of the last day, what waits, what needs somebody; `lag` is the relay's, in seconds."""

    workers: list[WorkerSeen]
    alive: int
    backlog: list[Backlog]
    lag: float
    effects: list[StuckEffect]
    scans: list[StuckScan]

    @property
    def healthy(self) -> bool:
        """Whether a worker lives and nothing is stuck."""
        return self.alive > 0 and not self.effects and not self.scans


def check_up(session: Session) -> Checkup:
    """Return how the platform does. Counts and ids alone: nothing of what tenants hold."""
    now = datetime.now(UTC)
    workers, backlog = oversight.workers(session), oversight.backlog(session)
    oldest = next((row.oldest for row in backlog if row.part == "effects"), None)
    return Checkup(
        workers=workers,
        alive=sum(now - worker.seen_at < SEEN_LATELY for worker in workers),
        backlog=backlog,
        lag=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
        effects=stuck_effects(session),
        scans=stuck_scans(session),
    )


def stuck_effects(session: Session) -> list[StuckEffect]:
    """Return the effects that are stuck, the oldest first."""
    return oversight.stuck_effects(session, tries=TRIES, late=LATE, most=MOST)


def stuck_effect(session: Session, tenant_id: UUID, effect_id: UUID) -> StuckEffect:
    """Return an effect that is stuck. Raises NotFound where it has happened or is not."""
    for found in oversight.stuck_effects(session, tries=TRIES, late=LATE, effect_id=effect_id):
        if found.tenant_id == tenant_id:
            return found
    raise NotFound("This is not stuck any more.")


def stuck_scans(session: Session) -> list[StuckScan]:
    """Return the scans that stand still, the oldest first."""
    return oversight.stuck_scans(session, unbegun=UNBEGUN, unended=UNENDED, most=MOST)


def stuck_scan(session: Session, tenant_id: UUID, scan_id: UUID) -> StuckScan:
    """Return a scan that stands still. Raises NotFound where it does not, or is over."""
    for found in oversight.stuck_scans(session, unbegun=UNBEGUN, unended=UNENDED, scan_id=scan_id):
        if found.tenant_id == tenant_id:
            return found
    raise NotFound("This scan does not stand still: it is over, or goes on.")
