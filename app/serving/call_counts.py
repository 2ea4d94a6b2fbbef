"""API calls counted in this process, kept for a second and written in one batch for each tenant."""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.ids import new_id
from app.db import usage_books
from app.db.units import Home, Unit, Units
from app.services import usage_counts
from app.services.calls import Call
from app.services.usage_counts import Minute, minute_of
from app.serving.batches import Batches
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope

METER = system_actor("meter")
MOST = 20_000
MOST_FAILURES = 3
MANY = 2_000  # rows that do not wait for their second
# What the first batch of a process brings back to the rows: a predecessor that was killed lost a second of it.
HEALED = timedelta(minutes=10)
STILL_COUNTED = timedelta(minutes=3)
log = structlog.get_logger("sentinel.usage")


@dataclass(slots=True)
class _Batch:
    """What one tenant has called: all of it is counted, and `unwritten` are those whose rows go with the counts."""

    tenant_id: UUID
    id: UUID = field(default_factory=new_id)
    counts: Counter[Minute] = field(default_factory=Counter)
    unwritten: list[Call] = field(default_factory=list)


class CallCounts(Batches):
    """What this process has counted since the last batch; a process that is killed loses a second of it.

    The row of a call that changed something was written with the change, so that of it nothing but the sum is late. The
    row of a call that changed nothing is written here, in one transaction with its sum: both are there or neither. A
    batch keeps its id until it is written: where the answer to a commit was lost, writing it again changes nothing.
    """

    def __init__(self, units: Units, *, seconds: float = 1.0) -> None:
        """Write by `units`, a batch every `seconds` while there is something to write."""
        super().__init__(units, seconds)
        self._counted: dict[UUID, _Batch] = {}
        self._rows = 0
        self._batches: list[_Batch] = []
        self._healed: set[UUID] = set()

    def note(self, tenant_id: UUID, call: Call, *, written: bool) -> None:
        """Count a call, whose row was committed or is to be written with the count; returns at once."""
        minute = minute_of(call)
        with self._lock:
            batch = self._counted.get(tenant_id) or self._counted.setdefault(tenant_id, _Batch(tenant_id))
            batch.counts[minute] += 1
            if not written:
                batch.unwritten.append(call)
                self._rows += 1
            self._begin_timer(hurry=not written and self._rows == MANY)

    def flush(self) -> None:
        """Write what was counted, now. What cannot be written is tried with the next batch, under the same id.

        It comes after all the others then, so that no tenant's trouble keeps another's calls from being counted; after
        a few in a row the database is taken to be away. What a tenant that is gone has called is let go.
        """
        with self._writing:
            with self._lock:
                self._batches += self._counted.values()
                del self._batches[:-MOST]
                self._counted, self._rows = {}, 0
                self._end_timer()
            waiting, in_a_row = deque(self._batches), 0
            failed: list[_Batch] = []
            while waiting and in_a_row < MOST_FAILURES:
                batch = waiting.popleft()
                try:
                    self._write(batch)
                    in_a_row = 0
                except PermissionError:  # it was purged meanwhile
                    log.info("call_counts.gone", tenant=str(batch.tenant_id))
                except SQLAlchemyError as error:
                    failed.append(batch)
                    in_a_row += 1
                    if not self._ending:
                        log.warning("call_counts.not_written", tenant=str(batch.tenant_id), error=type(error).__name__)
            self._batches = [*waiting, *failed]

    def _write(self, batch: _Batch) -> None:
        with tenant_scope(batch.tenant_id), self._units.open(Home.CONTENT, METER) as unit:
            if batch.tenant_id not in self._healed:
                self._heal(unit)
            usage_counts.add_minutes(unit, batch.id, batch.counts, batch.unwritten)
            unit.commit()
        self._healed.add(batch.tenant_id)

    def _heal(self, unit: Unit) -> None:
        this_minute = unit.now().astimezone(UTC).replace(second=0, microsecond=0)
        usage_counts.recount(unit, this_minute - HEALED, this_minute - STILL_COUNTED)
        usage_books.open_book(unit.at_home(Home.ACCOUNT).session)
