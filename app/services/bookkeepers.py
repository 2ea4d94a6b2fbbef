"""The bookkeeper, a thread of the worker: sums each day's calls once it is over, and removes calls kept long enough."""

from contextlib import suppress

import structlog

from app.db import usage_books
from app.db.units import Home, Units
from app.db.usage_books import DueBook, DueRemoval
from app.services import call_retention, usage_counts
from app.services.loops import Loop
from app.services.turns import Turns
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
BOOKKEEPER = system_actor("bookkeeper")
MOST_TENANTS = 100
MOST_BATCHES = 20  # of one tenant's calls, before it is the others' turn


class Bookkeeper(Loop):
    """Any number may run at once: a day that is summed twice is what the rows say twice."""

    def __init__(self, units: Units, *, seconds: float = 60.0) -> None:
        super().__init__(units, "bookkeeper", seconds=seconds)
        self._turns = Turns[DueBook](lambda book: book.tenant_id)
        self._removals = Turns[DueRemoval](lambda due: due.tenant_id)
        self._unfinished = 0

    def run_once(self) -> int:
        """Sum what is due of at most 100 tenants, and remove calls of as many, in this thread.

        Returns how many were summed, how many cleared, and how many of these are to go on.
        """
        summed = self.each(self._turns, usage_books.books_due, MOST_TENANTS, self.keep)
        self._unfinished = 0
        cleared = self.each(self._removals, usage_books.removals_due, MOST_TENANTS, self.clear)
        return summed + cleared + self._unfinished

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

    def clear(self, due: DueRemoval) -> bool:
        """Remove one tenant's calls that its plan keeps no longer, a lot of them; False where it is due again."""
        try:
            for _ in range(MOST_BATCHES):
                if self.stopping:
                    return False
                if not self._remove(due):
                    return True
            self._unfinished += 1
        except Exception as error:  # the other tenants' calls go all the same
            log.warning("bookkeeper.removal_failed", tenant=str(due.tenant_id), error=type(error).__name__)
        return False

    def _remove(self, due: DueRemoval) -> int:
        """Remove a batch, in a transaction of its own; the one that finds none notes it."""
        removed = 0
        with tenant_scope(due.tenant_id), self._units.open(Home.ACCOUNT, BOOKKEEPER) as unit:
            with suppress(PermissionError):  # a tenant without a home has no calls
                removed = call_retention.remove_batch(unit)
            if not removed:
                usage_books.note_removed(unit.session, due.until)
            unit.commit()
        return removed
