"""What a worker weighs that serves 100 of 10,000 tenants at once, their probes running.

`python -m tests.benchmarks.tenants` prints one JSON line a figure.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.service import RPCError

import app.worker  # noqa: F401  all that a worker loads counts
from app.local import ports
from app.local.temporal import TemporalServer
from app.scanners.probes import Artefact, Ticket
from app.tenancy.context import tenant_scope
from app.workflows.activities.scans import ProbeActivities, RecordActivities
from app.workflows.client import connect_to
from app.workflows.dispatch import start
from app.workflows.hosts import Duties, TenantWorkers
from app.workflows.scans import ScanWorkflow
from tests.peers.keyrings import MemoryKeyRing
from tests.peers.scanrecords import MemoryScanRecords

TENANTS = 10_000
ACTIVE = 100
ROOT = Path(__file__).resolve().parents[2]
Figure = dict[str, Any]


def figures() -> list[Figure]:
    """Return the figures, measured in a process of its own on a Temporal development server of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        server = TemporalServer(ports.free_port(), ports.free_port(), Path(name) / "temporal.db")
        server.spawn(Path(name) / "temporal.log")
        try:
            server.wait()
            command = [sys.executable, "-m", "tests.benchmarks.tenants", server.address]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300)
            return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b'{"name"')]
        finally:
            server.stop()


class _Bench:
    """A worker's parts with rows in memory: what is measured is Temporal and our way through it."""

    def __init__(self, client: Any, run: Callable[..., Artefact], **limits: Any) -> None:
        self.client, self.records = client, MemoryScanRecords()
        activities = [*RecordActivities(self.records).all(), *ProbeActivities(run).all()]
        duties = Duties(client, [ScanWorkflow], activities, ThreadPoolExecutor(16), ThreadPoolExecutor(16))
        self.hosts = TenantWorkers(duties.worker_of, self.records.open_tenants, **limits)
        self.hosting = asyncio.create_task(self.hosts.run())

    async def dispatch(self, tenant_id: Any) -> Any:
        row = self.records.add(tenant_id)
        with tenant_scope(tenant_id):
            self.hosts.ensure(tenant_id)
            while True:
                try:
                    await start(self.client, tenant_id, row)
                except RPCError:  # a busy machine: as the relay does, ask again
                    continue
                return row


def _long(ticket: Ticket, stop: Any, tell: Any) -> Artefact:
    stop.wait(120)
    return Artefact(ticket.tool)


async def _many(address: str) -> list[Figure]:
    """10,000 tenants that the process has served once or not, 100 of them with a probe that runs."""
    before = _resident()  # all of a worker's modules are loaded, nothing runs
    bench = _Bench(await connect_to(address, "default", MemoryKeyRing()), _long, cap=ACTIVE)
    tenants = [uuid4() for _ in range(TENANTS)]
    for tenant_id in tenants:
        bench.records.add(tenant_id, status="done")
    await asyncio.sleep(0.1)
    began = time.monotonic()
    rows = [await bench.dispatch(tenant_id) for tenant_id in tenants[:ACTIVE]]
    while any(row.status != "running" for row in rows):
        await asyncio.sleep(0.05)
    took = time.monotonic() - began
    await asyncio.sleep(5)
    size, polling = _resident(), len(bench.hosts.polling)
    bench.hosting.cancel()
    return [
        _figure("worker with 100 of 10,000 tenants active, resident", size, "MB", 300.0),
        _figure("worker with all loaded and nothing begun, resident", before, "MB", None),
        _figure("queues polled with 100 of 10,000 tenants active", polling, "queues", float(ACTIVE)),
        _figure("until 100 tenants' scans have all begun", took, "s", None),
    ]


def _figure(name: str, value: float, unit: str, goal: float | None) -> Figure:
    return {"name": name, "value": round(value, 1), "unit": unit, "baseline": None, "ratio": None, "goal": goal}


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    found = asyncio.new_event_loop().run_until_complete(_many(sys.argv[1])) if len(sys.argv) > 1 else figures()
    for figure in found:
        print(json.dumps(figure))
    sys.stdout.flush()
    os._exit(0)
