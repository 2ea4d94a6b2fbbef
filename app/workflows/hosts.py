"""Polls a tenant's queue only while the tenant has work, so that idle tenants cost nothing.

A queue is polled from the moment its tenant gets work until Postgres counts no open workflow of the tenant for a few
seconds. No more than `cap` queues are polled at once; the tenants beyond wait in line, and while somebody waits each
has a turn of a few seconds. A worker that gives up its place finishes what it has begun, without polling.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import Client
from temporalio.worker import FixedSizeSlotSupplier, UnsandboxedWorkflowRunner, Worker, WorkerTuner, WorkflowRunner

from app.workflows.names import queue_name
from app.workflows.shares import Shares, Slots

log = logging.getLogger(__name__)

_DRAIN = timedelta(seconds=120)
_HEARTBEATS = timedelta(seconds=2)
_CACHED = 8
# So long a workflow waits for the worker that has it at hand, where that one was killed.
_STICKS = timedelta(seconds=2)
# Named once: temporalio would read all our code for it when the first tenant has work.
_BUILD = "sentinel"


@dataclass(frozen=True)
class Duties:
    """What every worker of this process can do; its threads are shared among them.

    Workflow tasks have threads of their own, so that activities that wait for a database do not hold them up.
    """

    client: Client
    workflows: list[type]
    activities: list[Callable[..., Any]]
    workflow_threads: ThreadPoolExecutor
    activity_threads: ThreadPoolExecutor
    shares: Shares = field(default_factory=Shares)
    # The sandbox costs a third of a scan's processor time; that workflows are deterministic, tests and replays show.
    runner: WorkflowRunner = field(default_factory=UnsandboxedWorkflowRunner)

    def worker_of(self, tenant_id: UUID) -> Worker:
        """Return a worker, not yet running, of the tenant's queue.

        Its activities have as many slots as the tenant's plan has workers, at each moment; records that are made
        within workflow tasks have two of their own. Workflows stay at hand between their tasks, a few of each tenant:
        a record within a task would otherwise be lost with each other workflow's task. Heartbeats go out each other
        second: a cancelled probe learns it then.
        """
        return Worker(
            self.client,
            task_queue=queue_name(tenant_id),
            workflows=self.workflows,
            activities=self.activities,
            activity_executor=self.activity_threads,
            workflow_task_executor=self.workflow_threads,
            workflow_runner=self.runner,
            build_id=_BUILD,
            max_cached_workflows=_CACHED,
            sticky_queue_schedule_to_start_timeout=_STICKS,
            max_concurrent_workflow_task_polls=2,
            max_concurrent_activity_task_polls=1,
            tuner=WorkerTuner.create_composite(
                workflow_supplier=FixedSizeSlotSupplier(4),
                activity_supplier=Slots(lambda: self.shares.of(tenant_id).workers),
                local_activity_supplier=FixedSizeSlotSupplier(2),
                nexus_supplier=FixedSizeSlotSupplier(1),
            ),
            max_heartbeat_throttle_interval=_HEARTBEATS,
            default_heartbeat_throttle_interval=_HEARTBEATS,
            graceful_shutdown_timeout=_DRAIN,
        )


@dataclass
class _Place:
    worker: Worker
    task: asyncio.Task[None]
    since: float
    busy_at: float = field(default=0.0)


class TenantWorkers:
    """The workers of this process, on the event loop of `run`; `ensure` alone may be called from any thread."""

    def __init__(
        self,
        worker_of: Callable[[UUID], Worker],
        open_tenants: Callable[[], set[UUID]],
        *,
        cap: int,
        grace: float = 10.0,
        turn: float = 5.0,
        interval: float = 1.0,
        priority: Callable[[UUID], int] = lambda _tenant_id: 1,
    ) -> None:
        """`priority` weighs a tenant's wait in the line: with 3 it passes who waits less than thrice as long."""
        self._worker_of = worker_of
        self._open_tenants = open_tenants
        self._cap, self._grace, self._turn, self._interval = cap, grace, turn, interval
        self._priority = priority
        self._loop: asyncio.AbstractEventLoop | None = None
        self._places: dict[UUID, _Place] = {}
        self._line: dict[UUID, float] = {}  # since when each waits
        self._leaving: dict[asyncio.Task[None], UUID] = {}
        self._stopped = False

    @property
    def polling(self) -> frozenset[UUID]:
        """The tenants whose queues are polled now."""
        return frozenset(self._places)

    @property
    def waiting(self) -> tuple[UUID, ...]:
        """The tenants that wait for a place, the next one first."""
        now = time.monotonic()
        return tuple(sorted(self._line, key=lambda each: (self._line[each] - now) * self._priority(each)))

    def ensure(self, tenant_id: UUID) -> None:
        """See to it that the tenant's queue is polled soon; returns at once."""
        if self._loop is None:
            return  # not begun: the first look finds the tenant
        with contextlib.suppress(RuntimeError):  # the loop is closed: another process, or the next start, does it
            self._loop.call_soon_threadsafe(self._want, tenant_id)

    async def run(self) -> None:
        """Host workers until cancelled; then stop them all."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                await self._look()
                await asyncio.sleep(self._interval)
        finally:
            await self._stop_all()

    async def _look(self) -> None:
        asked_at = time.monotonic()
        try:
            tenants = await asyncio.to_thread(self._open_tenants)
        except Exception as error:
            log.warning("cannot ask which tenants have work: %s", type(error).__name__)
            return
        now = time.monotonic()
        for tenant_id in tenants:
            self._want(tenant_id)
        self._line = {known: since for known, since in self._line.items() if known in tenants or since >= asked_at}
        for tenant_id, place in list(self._places.items()):
            idle = now - place.busy_at
            if idle > self._grace or (self._line and idle > self._interval):
                self._leave(tenant_id)
        self._rotate(now)
        self._fill()

    def _want(self, tenant_id: UUID) -> None:
        if self._stopped:
            return
        place = self._places.get(tenant_id)
        if place is not None:
            place.busy_at = time.monotonic()
            return
        self._line.setdefault(tenant_id, time.monotonic())
        self._fill()

    def _rotate(self, now: float) -> None:
        """Let those who have had their turn make room, oldest first, for as many as wait."""
        done = sorted((place.since, tenant_id) for tenant_id, place in self._places.items())
        free = self._cap - len(self._places)
        for since, tenant_id in done[: max(0, len(self._line) - free)]:
            if now - since >= self._turn:
                self._leave(tenant_id)
                self._line.setdefault(tenant_id, now)

    def _fill(self) -> None:
        """Give free places to who waits; a tenant whose last worker is still leaving waits for that to end."""
        leaving = set(self._leaving.values())
        ready = [tenant_id for tenant_id in self.waiting if tenant_id not in leaving]
        for tenant_id in ready[: max(0, self._cap - len(self._places))]:
            del self._line[tenant_id]
            try:
                self._enter(tenant_id)
            except Exception as error:
                log.error("a tenant's worker was not made: %s: %s", type(error).__name__, error)

    def _enter(self, tenant_id: UUID) -> None:
        now = time.monotonic()
        worker = self._worker_of(tenant_id)
        task = asyncio.get_running_loop().create_task(worker.run(), name=f"worker {tenant_id}")
        self._places[tenant_id] = place = _Place(worker, task, now, now)
        task.add_done_callback(lambda done: self._ended(tenant_id, place, done))

    def _ended(self, tenant_id: UUID, place: _Place, task: asyncio.Task[None]) -> None:
        """A worker that fell is let go; the next look starts another where there is still work."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a tenant's worker failed: %s: %s", type(error).__name__, error)
        if self._places.get(tenant_id) is place:
            del self._places[tenant_id]

    def _leave(self, tenant_id: UUID) -> None:
        place = self._places.pop(tenant_id)
        task = asyncio.get_running_loop().create_task(place.worker.shutdown(), name=f"leaving {tenant_id}")
        self._leaving[task] = tenant_id
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.pop(task, None)
        self._fill()

    async def _stop_all(self) -> None:
        self._stopped = True
        self._line.clear()
        for tenant_id in list(self._places):
            self._leave(tenant_id)
        if self._leaving:
            await asyncio.wait(list(self._leaving))
