"""The activities of a scan: a probe that knows no database, and the records that know nothing else."""

import asyncio
import contextlib
import contextvars
import dataclasses
import functools
import json
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from temporalio import activity
from temporalio.exceptions import ApplicationError

from app.core.errors import AppError
from app.outbox.beginnings import Beginnings
from app.scanners.probes import Artefact, Severity, Ticket
from app.tenancy.context import require_tenant
from app.workflows.rooms import Room
from app.workflows.scans import Completion, Failure, ScanOrder

log = logging.getLogger(__name__)

# What passes when the database is back; anything else is our mistake and does not pass.
_PASSING = (OperationalError, InterfaceError, InternalError, PoolTimeout, OSError)
_MISTAKES = 5
_BEAT_SECONDS = 2.0
_MOST_BYTES = 900_000


OnStep = Callable[[UUID, str], None]
RunProbe = Callable[[Ticket, threading.Event, Callable[[str], None]], Artefact]


class ScanRecords(Protocol):
    """What is written down of a scan, each verb one transaction of the tenant in the context."""

    def claim(self, scan_id: UUID) -> Ticket | None: ...
    def complete(self, scan_id: UUID, artefact: Artefact) -> None: ...
    def fail(self, scan_id: UUID, reason: str) -> None: ...


class RecordActivities:
    """The record activities. Their threads are never interrupted: a transaction ends by itself."""

    def __init__(self, records: ScanRecords, beginnings: Beginnings | None = None) -> None:
        self._records = records
        self._beginnings = beginnings or Beginnings()

    @activity.defn(name="claim_scan", no_thread_cancel_exception=True)
    def claim_scan(self, order: ScanOrder) -> Ticket | None:
        self._beginnings.give_way(require_tenant())
        with _mistakes_end():
            ticket = self._records.claim(UUID(order.scan_id))
        self._beginnings.begun(require_tenant())
        return ticket

    @activity.defn(name="complete_scan", no_thread_cancel_exception=True)
    def complete_scan(self, completion: Completion) -> None:
        self._beginnings.give_way(require_tenant())
        with _mistakes_end():
            self._records.complete(UUID(completion.scan_id), completion.artefact)

    @activity.defn(name="fail_scan", no_thread_cancel_exception=True)
    def fail_scan(self, failure: Failure) -> None:
        self._beginnings.give_way(require_tenant())
        with _mistakes_end():
            self._records.fail(UUID(failure.scan_id), failure.reason)

    def all(self) -> list[Callable[..., Any]]:
        """Return the activities, for a worker."""
        return [self.claim_scan, self.complete_scan, self.fail_scan]


@contextlib.contextmanager
def _mistakes_end() -> Iterator[None]:
    """Let what passes be retried without end, and what does not only a few times.

    An error's words can hold what is being recorded, so that neither Temporal nor a log gets them.
    """
    try:
        yield
    except Exception as error:
        passes = isinstance(error, _PASSING) or (isinstance(error, AppError) and error.status >= 500)
        attempt = activity.info().attempt
        log.warning("a record failed at attempt %s: %s", attempt, _place_of(error))
        last = not passes and attempt >= _MISTAKES
        raise ApplicationError("a record failed", type=type(error).__name__, non_retryable=last) from None


def _place_of(error: Exception) -> str:
    """Return the kind of an error and the line that raised it, without its words."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {frames[-1].filename}:{frames[-1].lineno}" if frames else type(error).__name__


class ProbeActivities:
    """The probe activity: at most `at_once` probes in this process, heartbeats also while one waits for its turn.

    Tenants take turns, weighed by `priority`; none has all places.

    `run` carries out a ticket on a thread: it calls what it is given with the present step now and then, and returns
    soon after the event is set. `on_step` keeps each new step, where it can; a worker without a database has none.
    """

    def __init__(
        self,
        run: RunProbe,
        *,
        on_step: OnStep | None = None,
        at_once: int = 8,
        priority: Callable[[UUID], int] = lambda _tenant_id: 1,
    ) -> None:
        self._run = run
        self._on_step = on_step
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="probe")
        self._room = Room(at_once, priority)
        self._stops: set[threading.Event] = set()

    @activity.defn(name="probe")
    async def probe(self, ticket: Ticket) -> Artefact:
        stop = threading.Event()
        self._stops.add(stop)
        beats = asyncio.create_task(_beat())
        try:
            async with self._room.place(require_tenant()):
                context = contextvars.copy_context()
                work = functools.partial(context.run, self._run, ticket, stop, self._steps(ticket))
                artefact = await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except Exception as error:
            log.warning("a probe failed: %s", _place_of(error))
            raise ApplicationError("the probe failed", type=type(error).__name__) from None
        else:
            if stop.is_set():
                raise ApplicationError("the worker stops", type="WorkerStops")
            return _fitting(artefact)
        finally:
            stop.set()
            self._stops.discard(stop)
            beats.cancel()

    def _steps(self, ticket: Ticket) -> Callable[[str], None]:
        told = {""}

        def tell(step: str) -> None:
            if step not in told and self._on_step is not None:
                told.add(step)
                try:
                    self._on_step(UUID(ticket.scan_id), step)
                except Exception as error:
                    log.warning("a step was not kept: %s", type(error).__name__)

        return tell

    def stop_all(self) -> None:
        """Stop the probes that run; their activities fail and are tried again elsewhere."""
        for stop in list(self._stops):
            stop.set()

    def all(self) -> list[Callable[..., Any]]:
        """Return the activities, for a worker."""
        return [self.probe]


async def _beat() -> None:
    while True:  # a short probe needs none: its first silence counts from its start
        await asyncio.sleep(_BEAT_SECONDS)
        activity.heartbeat()


def _fitting(artefact: Artefact) -> Artefact:
    """Return the artefact cut to what Temporal carries, the worst faults kept; then it is marked as partial."""
    if _bytes_of(artefact) <= _MOST_BYTES:
        return artefact
    kept, room = [], _MOST_BYTES // 2
    ranks = [str(severity) for severity in Severity]
    for fault in sorted(artefact.faults, key=lambda fault: ranks.index(fault.severity)):
        room -= len(json.dumps(dataclasses.asdict(fault)))
        if room < 0:
            break
        kept.append(fault)
    notes = [note[:500] for note in artefact.notes[:50]]
    observed = {name[:200]: value[:500] for name, value in list(artefact.observed.items())[:50]}
    return dataclasses.replace(artefact, faults=kept, notes=notes, observed=observed, partial=True)


def _bytes_of(artefact: Artefact) -> int:
    return len(json.dumps(dataclasses.asdict(artefact)))
