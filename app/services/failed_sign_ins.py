"""Failed sign-ins of members, written into the logs of their tenants by a thread of the worker.

The web only notes a failure, alike for every address: who has one is looked up here, so that no answer's time tells.
"""

from datetime import UTC, timedelta

from sqlalchemy import func, select

from app.db import failures
from app.db.failures import Failure
from app.db.units import Home, Unit, Units
from app.services import audit
from app.services.loops import Loop
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope

LEASE = timedelta(minutes=1)
SPAN = timedelta(hours=1)
AT_ONCE = 100
MOST_AN_HOUR = 60
LABEL = "somebody unknown"


def record_failure(unit: Unit, failure: Failure) -> bool:
    """Record that a sign-in with a member's address failed; False where the tenant has had 60 within the hour."""
    events = audit.LOGS[unit.home]
    recent = select(func.count()).where(events.action == "sign_in.fail", events.at > unit.now() - SPAN)
    if (unit.session.scalar(recent) or 0) >= MOST_AN_HOUR:
        return False
    at = failure.at.astimezone(UTC).isoformat(timespec="seconds")
    audit.record(unit, "sign_in.fail", "person", failure.user_id, after={"email": failure.email, "at": at})
    return True


class FailureLog(Loop):
    """Any number may run at once: a failure belongs to one of them at a time."""

    def __init__(self, units: Units, *, seconds: float = 2.0) -> None:
        super().__init__(units, "failed-sign-ins", seconds=seconds)

    def run_once(self) -> int:
        """Write what is there in this thread; return how many failures were taken."""
        with self.directory() as session:
            found = failures.claim_failures(session, AT_ONCE, LEASE)
        for failure in found:
            self._write(failure)
        if found:
            with self.directory() as session:
                failures.settle_failures(session, [failure.id for failure in found])
        return len(found)

    def _write(self, failure: Failure) -> None:
        if failure.tenant_id is None:
            return
        actor = Actor(ActorKind.SYSTEM, None, LABEL, frozenset(), failure.address, failure.agent)
        with tenant_scope(failure.tenant_id), self._units.open(Home.ACCOUNT, actor) as unit:
            record_failure(unit, failure)
            unit.commit()
