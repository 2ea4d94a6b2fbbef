"""Failed sign-ins of members, written into the logs of their tenants by a thread of the worker.

The web only notes a failure, alike for every address: who has one is looked up here, so that no answer's time tells.
"""

import threading
from datetime import UTC, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from app.db import failures
from app.db.engines import NOBODY
from app.db.failures import Failure
from app.db.units import Home, Unit, Units
from app.services import audit
from app.tenancy.actors import Actor, ActorKind
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
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


class FailureLog:
    """Any number may run at once: a failure belongs to one of them at a time."""

    def __init__(self, units: Units, *, seconds: float = 2.0) -> None:
        self._units = units
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="failed-sign-ins", daemon=True)

    def start(self) -> None:
        """Begin to write, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more; return when the present one is written."""
        self._stop.set()
        self._thread.join(timeout=5)

    def run_once(self) -> int:
        """Write what is there in this thread; return how many failures were taken."""
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            found = failures.claim_failures(session, AT_ONCE, LEASE)
            session.commit()
        finally:
            session.close()
        for failure in found:
            self._write(failure)
        if found:
            self._settle(found)
        return len(found)

    def _write(self, failure: Failure) -> None:
        if failure.tenant_id is None:
            return
        actor = Actor(ActorKind.SYSTEM, None, LABEL, frozenset(), failure.address, failure.agent)
        with tenant_scope(failure.tenant_id), self._units.open(Home.ACCOUNT, actor) as unit:
            record_failure(unit, failure)
            unit.commit()

    def _settle(self, found: list[Failure]) -> None:
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            failures.settle_failures(session, [failure.id for failure in found])
            session.commit()
        finally:
            session.close()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                while self.run_once() >= AT_ONCE and not self._stop.is_set():
                    pass
            except SQLAlchemyError as error:
                log.warning("failed_sign_ins.failed", error=type(error).__name__)
