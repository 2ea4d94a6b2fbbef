"""A client and workers on the Temporal of the test run, with keys in memory."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from app.scanners.probes import Artefact, Ticket
from app.workflows.activities.scans import ProbeActivities, RecordActivities
from app.workflows.client import connect_to
from app.workflows.dispatch import start
from app.workflows.hosts import Duties
from app.workflows.scans import ScanWorkflow
from tests.peers.echoes import EchoWorkflow, WayfarerWorkflow, echo
from tests.peers.keyrings import MemoryKeyRing
from tests.peers.scanrecords import MemoryScanRecords, ScanRow


class Probe:
    """A probe that the test steers: it waits until it is released, stopped, or for good where nothing holds it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.released = threading.Event()
        self.released.set()
        self.stopped_at: float | None = None
        self.runs = 0
        self.problem: Exception | None = None
        self.artefact = Artefact("text")

    def __call__(self, ticket: Ticket, stop: threading.Event, tell: Callable[[str], None]) -> Artefact:
        self.runs += 1
        tell("Reading")
        self.started.set()
        while not self.released.wait(0.02):
            if stop.is_set():
                self.stopped_at = time.monotonic()
                return Artefact("text", failure="stopped")
        if self.problem is not None:
            raise self.problem
        return self.artefact


class Workshop:
    """A connected client, and workers on request."""

    def __init__(self, address: str, client: Client, keys: MemoryKeyRing) -> None:
        self.address, self.client, self.keys = address, client, keys
        self.threads = ThreadPoolExecutor(8), ThreadPoolExecutor(8)
        self.records, self.probe = MemoryScanRecords(), Probe()

    def scanning(self) -> Duties:
        """What a worker of scans does, with rows in memory and a probe that the test steers."""
        probes = ProbeActivities(self.probe, on_step=self.records.note_step)
        return self.duties([ScanWorkflow], [*RecordActivities(self.records).all(), *probes.all()])

    async def begin(self, row: ScanRow) -> WorkflowHandle[Any, Any]:
        """Start the scan's workflow as the relay does; returns its handle."""
        await start(self.client, row.tenant_id, row)
        return self.client.get_workflow_handle_for(ScanWorkflow.run, row.workflow_id)

    def duties(self, workflows: list[type], activities: list[Callable[..., Any]]) -> Duties:
        return Duties(self.client, workflows, activities, *self.threads, runner=SandboxedWorkflowRunner())

    @asynccontextmanager
    async def worker(self, tenant_id: UUID) -> AsyncIterator[None]:
        async with self.duties([EchoWorkflow, WayfarerWorkflow], [echo]).worker_of(tenant_id):
            yield


@pytest.fixture
def tenant_id() -> UUID:
    return uuid4()


@pytest.fixture
def with_temporal(temporal_address: str) -> Callable[[Callable[[Workshop], Coroutine[Any, Any, None]]], None]:
    """Runs a coroutine function with a workshop on the run's Temporal, in an empty context."""

    def run(scenario: Callable[[Workshop], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            keys = MemoryKeyRing()
            await scenario(Workshop(temporal_address, await connect_to(temporal_address, "default", keys), keys))

        asyncio.run(asyncio.wait_for(main(), 170))

    return run
