"""The bookkeeper, a thread of the worker: sums each tenant's calls by day once the day is over."""

import threading
from contextlib import suppress

import structlog

from app.db import usage_books
from app.db.engines import NOBODY
from app.db.units import Home, Units
from app.db.usage_books import DueBook
from app.services import usage_counts
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
BOOKKEEPER = system_actor("bookkeeper")
MOST_TENANTS = 100


class Bookkeeper:
    """Any number may run at once: a day that is summed twice is what the rows say twice."""

    def __init__(self, units: Units, *, seconds: float = 60.0) -> None:
        self._units = units
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bookkeeper", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Sum no more; return when the present tenant is done."""
        self._stop.set()
        self._thread.join(timeout=5)

    def run_once(self) -> int:
        """Sum what is due of at most 100 tenants, in this thread; return how many were done."""
        session = self._units.start(self._units.engines.control, NOBODY)
        try:
            due = usage_books.books_due(session, MOST_TENANTS)
        finally:
            session.close()
        done = 0
        for book in due:
            if self._stop.is_set():
                break
            done += self.keep(book)
        return done

    def keep(self, book: DueBook) -> bool:
        """Sum one tenant's days; False where it could not be done, and is due again."""
        try:
            with tenant_scope(book.tenant_id), self._units.open(Home.ACCOUNT, BOOKKEEPER) as unit:
                with suppress(PermissionError):  # a tenant that was purged has no home any more
                    usage_counts.sum_days(unit.at_home(Home.CONTENT), book.since, book.until)
                usage_books.note_summed(unit.session, book.until)
                unit.commit()
            return True
        except Exception as error:  # one tenant's trouble must not keep the others waiting
            log.warning("bookkeeper.tenant_failed", tenant=str(book.tenant_id), error=type(error).__name__)
            return False

    def _run(self) -> None:
        wait = 1.0
        while not self._stop.wait(wait):
            try:
                while self.run_once() == MOST_TENANTS and not self._stop.is_set():
                    pass
            except Exception as error:  # whatever it is: without this loop no day is summed any more
                log.warning("bookkeeper.failed", error=type(error).__name__)
            wait = self._seconds
