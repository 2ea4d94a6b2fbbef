"""API calls counted in this process, kept for a second and written in one batch for each tenant."""

from collections import Counter, deque
from datetime import UTC, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.ids import new_id
from app.db import usage_books
from app.db.units import Home, Units
from app.services import usage_counts
from app.services.usage_counts import Minute
from app.serving.batches import Batches
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

METER = system_actor("meter")
MOST = 20_000
MOST_FAILURES = 3
# What the first batch of a process brings back to the rows: a predecessor that was killed lost a second of it.
HEALED = timedelta(minutes=10)
STILL_COUNTED = timedelta(minutes=3)
log = structlog.get_logger("sentinel.usage")
_Batch = tuple[UUID, UUID, Counter[Minute]]


class CallCounts(Batches):
    """What this process has counted since the last batch; a process that is killed loses a second of it.

    The rows of the calls are written with the calls themselves, so that nothing but these sums is late. A batch keeps
    its id until it is written: where the answer to a commit was lost, writing it again changes nothing.
    """

    def __init__(self, units: Units, *, seconds: float = 1.0) -> None:
        """Write by `units`, a batch every `seconds` while there is something to write."""
        super().__init__(units, seconds)
        self._counts: dict[UUID, Counter[Minute]] = {}
        self._batches: list[_Batch] = []
        self._healed: set[UUID] = set()

    def note(self, tenant_id: UUID, minute: Minute) -> None:
        """Count a call whose row was committed, in the minute that it belongs to; returns at once."""
        with self._lock:
            self._counts.setdefault(tenant_id, Counter())[minute] += 1
            self._begin_timer()

    def flush(self) -> None:
        """Write what was counted, now. What cannot be written is tried with the next batch, under the same id.

        It comes after all the others then, so that no tenant's trouble keeps another's calls from being counted; after
        a few in a row the database is taken to be away. What a tenant that is gone has called is let go.
        """
        with self._writing:
            with self._lock:
                self._batches += [(tenant_id, new_id(), counted) for tenant_id, counted in self._counts.items()]
                del self._batches[:-MOST]
                self._counts, self._timer = {}, None
            waiting, in_a_row = deque(self._batches), 0
            failed: list[_Batch] = []
            while waiting and in_a_row < MOST_FAILURES:
                batch = waiting.popleft()
                try:
                    self._write(*batch)
                    in_a_row = 0
                except PermissionError:  # it was purged meanwhile
                    log.info("call_counts.gone", tenant=str(batch[0]))
                except SQLAlchemyError as error:
                    failed.append(batch)
                    in_a_row += 1
                    if not self._ending:
                        log.warning("call_counts.not_written", tenant=str(batch[0]), error=type(error).__name__)
            self._batches = [*waiting, *failed]

    def _write(self, tenant_id: UUID, flush_id: UUID, counted: Counter[Minute]) -> None:
        with tenant_scope(tenant_id), self._units.open(Home.CONTENT, METER) as unit:
            if tenant_id not in self._healed:
                this_minute = unit.now().astimezone(UTC).replace(second=0, microsecond=0)
                usage_counts.recount(unit, this_minute - HEALED, this_minute - STILL_COUNTED)
                usage_books.open_book(unit.at_home(Home.ACCOUNT).session)
            usage_counts.add_minutes(unit, flush_id, counted)
            unit.commit()
        self._healed.add(tenant_id)
