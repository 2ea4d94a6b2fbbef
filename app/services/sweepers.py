"""The sweeper: deletes what has expired, tenant by tenant, in a thread of the worker."""

import threading
from contextlib import suppress

import structlog

from app.db import directory
from app.db.engines import NOBODY
from app.db.units import Home, Units
from app.services import kept_answers
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
SWEEPER = system_actor("sweeper")
MOST_TENANTS = 100


class Sweeper:
    """Any number may run at once: deleting twice changes nothing."""

    def __init__(self, units: Units, *, seconds: float = 60.0) -> None:
        self._units = units
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more; return when the present tenant is done."""
        self._stop.set()
        self._thread.join(timeout=5)

    def run_once(self) -> int:
        """Sweep what is due in this thread; return how many logs of answers were swept."""
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            due = directory.answers_expired(session, MOST_TENANTS)
        finally:
            session.close()
        for one in due:
            with tenant_scope(one.tenant_id), self._units.open(Home.ACCOUNT, SWEEPER) as unit:
                with suppress(PermissionError):  # a tenant that was purged has no home any more
                    kept_answers.sweep(unit.at_home(Home(one.home)), one.up_to)
                directory.note_answers_swept(unit.session, one.home, one.up_to)
                unit.commit()
            if self._stop.is_set():
                break
        return len(due)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            try:
                while self.run_once() == MOST_TENANTS and not self._stop.is_set():
                    pass
            except Exception as error:  # whatever it is: without this loop nothing is swept any more
                log.warning("sweeper.failed", error=type(error).__name__)
