"""The bookkeeper, a thread of the worker: sums each tenant's calls by day once the day is over."""

from contextlib import suppress

import structlog

from app.db import usage_books
from app.db.units import Home, Units
from app.db.usage_books import DueBook
from app.services import usage_counts
from app.services.loops import Loop
from app.services.turns import Turns
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

log = structlog.get_logger(__name__)
BOOKKEEPER = system_actor("bookkeeper")
MOST_TENANTS = 100


class Bookkeeper(Loop):
    """Any number may run at once: a day that is summed twice is what the rows say twice."""

    def __init__(self, units: Units, *, seconds: float = 60.0) -> None:
        super().__init__(units, "bookkeeper", seconds=seconds)
        self._turns = Turns[DueBook](lambda book: book.tenant_id)

    def run_once(self) -> int:
        """Sum what is due of at most 100 tenants, in this thread; return how many were done."""
        return self.each(self._turns, usage_books.books_due, MOST_TENANTS, self.keep)

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
