"""Failed sign-ins of members, written into the logs of their tenants by a thread of the worker.

The web only notes a failure, alike for every address: who has one is looked up here, so that no answer's time tells.
"""

from collections import defaultdict
from datetime import UTC, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select

from app.db import failures
from app.db.failures import Failure
from app.db.units import Home, Unit, Units
from app.services import audit
from app.services.loops import Loop
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
LEASE = timedelta(minutes=1)
GIVEN_UP = timedelta(hours=1)
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
    """Any number may run at once: a failure belongs to one of them at a time.

    What cannot be written into one tenant's log is tried again for an hour, and is written into the others' once.
    """

    def __init__(self, units: Units, *, seconds: float = 2.0) -> None:
        super().__init__(units, "failed-sign-ins", seconds=seconds)
        self._written: defaultdict[UUID, set[UUID]] = defaultdict(set)

    def run_once(self) -> int:
        """Write what is there in this thread; return how many failures were taken."""
        with self.directory() as session:
            found = failures.claim_failures(session, AT_ONCE, LEASE)
        again = {failure.id for failure in found if not self._settled(failure)}
        if over := [failure.id for failure in found if failure.id not in again]:
            with self.directory() as session:
                failures.settle_failures(session, over)
        for failure_id in over:
            self._written.pop(failure_id, None)
        return len(found)

    def _settled(self, failure: Failure) -> bool:
        """Write it where it was not written yet; False where that is to be tried again."""
        written = self._written[failure.id]
        if failure.tenant_id is None or failure.tenant_id in written:
            return True
        try:
            self._write(failure, failure.tenant_id)
        except Exception as error:  # one tenant's trouble must not keep the others waiting
            log.warning("failed_sign_in.not_written", tenant=str(failure.tenant_id), error=type(error).__name__)
            return self._units.clock.now() - failure.at > GIVEN_UP
        written.add(failure.tenant_id)
        return True

    def _write(self, failure: Failure, tenant_id: UUID) -> None:
        actor = Actor(ActorKind.SYSTEM, None, LABEL, frozenset(), failure.address, failure.agent)
        with tenant_scope(tenant_id), self._units.open(Home.ACCOUNT, actor) as unit:
            record_failure(unit, failure)
            unit.commit()
