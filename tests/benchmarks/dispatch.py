"""How soon an accepted scan begins on a queue that nobody polled, and what a worker of 10,000 tenants weighs.

`python -m tests.benchmarks.dispatch` prints one JSON line a figure.
"""

import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from temporalio.service import RPCError

from app.core.settings import settings
from app.db.migrate import migrate
from app.db.opening import open_units
from app.local import ports, roles
from app.local.postgres import SUPERUSER
from app.local.postgres import start as start_postgres
from app.local.temporal import TemporalServer
from app.outbox.wakers import Waker
from app.scanners.probes import Artefact, Ticket
from app.services import assets, scans
from app.tenancy.context import tenant_scope
from app.workflows.activities.scans import ProbeActivities, RecordActivities
from app.workflows.client import connect_to
from app.workflows.dispatch import start
from app.workflows.hosts import Duties, TenantWorkers
from app.workflows.scans import ScanWorkflow
from tests.peers.keyrings import MemoryKeyRing
from tests.peers.scanrecords import MemoryScanRecords
from tests.peers.workers import working
from tests.plugins.servers import MIGRATED, Database, settings_of
from tests.services.conftest import Made, make_tenant

KEYS = ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")
COLD_STARTS = 40
TENANTS = 10_000
ACTIVE = 100
Figure = dict[str, Any]


def figures() -> list[Figure]:
    """Return the figures, measured on a Postgres and a Temporal development server of their own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        passwords = {login: secrets.token_urlsafe(16) for login in (*roles.LOGINS, SUPERUSER)}
        postgres = start_postgres(directory / "pg", passwords, log=directory / "postgres.log", throwaway=True)
        temporal = TemporalServer(ports.free_port(), ports.free_port(), directory / "temporal.db")
        temporal.spawn(directory / "temporal.log")
        try:
            roles.bootstrap(postgres.superuser_url, passwords)
            database = Database(postgres, MIGRATED)
            migrate(database.owner)
            temporal.wait()
            keys = {key: b64encode(secrets.token_bytes(32)).decode() for key in KEYS}
            environment = {**settings_of(database, keys), "TEMPORAL_ADDRESS": temporal.address}
            os.environ.update(environment)
            settings.cache_clear()
            cold = _cold(environment, directory)
            return [*cold, *asyncio.new_event_loop().run_until_complete(_many(temporal.address))]
        finally:
            temporal.stop()
            postgres.kill()


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


def _cold(environment: dict[str, str], directory: Path) -> list[Figure]:
    """Have a worker process scan one document for each of many new tenants; read the waits from the scans' rows."""
    units = open_units(settings(), environment["DATABASE_URL"], on_effects=Waker(environment["DATABASE_URL"]).wake)
    waits = []
    with working({**os.environ, **environment}, directory / "worker.log") as worker:
        worker.wait_for("worker.ready")
        for turn in range(COLD_STARTS + 3):
            scan = _scanned(make_tenant(units))
            if turn >= 3:  # the first pay for imports and connections
                waits.append((scan.started_at - scan.created_at).total_seconds() * 1000)
        size = _resident(worker.process.pid)
        worker.end()
    middle, late = statistics.median(waits), statistics.quantiles(waits, n=20)[-1]
    return [
        _figure("scan accepted to first activity on a cold queue, p50", middle, "ms", 100.0),
        _figure("scan accepted to first activity on a cold queue, p95", late, "ms", None),
        _figure(f"worker process after {COLD_STARTS + 3} tenants, resident", size, "MB", 300.0),
    ]


def _scanned(tenant: Made) -> Any:
    """Return the row of a scan that is over."""
    with tenant.unit() as unit:
        asset = assets.add_document(unit, name="Letter", text="Nothing to see.")
        scan_id = scans.start_scan(unit, asset.id, tool="text").id
        unit.commit()
    while True:
        time.sleep(0.02)
        with tenant.unit() as unit:
            scan = scans.get_scan(unit, scan_id)
            if scan.status not in ("queued", "running"):
                return scan


async def _many(address: str) -> list[Figure]:
    """10,000 tenants that the process has served once or not, 100 of them with a probe that runs."""
    before = _resident()
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
        _figure(
            "worker with 100 of 10,000 tenants active, resident (this process)", size, "MB", 300.0, baseline=before
        ),
        _figure("queues polled with 100 of 10,000 tenants active", polling, "queues", float(ACTIVE)),
        _figure("until 100 tenants' scans have all begun", took, "s", None),
    ]


def _figure(name: str, value: float, unit: str, goal: float | None, *, baseline: float | None = None) -> Figure:
    ratio = None if not baseline else round(value / baseline, 2)
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "baseline": None if baseline is None else round(baseline, 1),
        "ratio": ratio,
        "goal": goal,
    }


def _resident(process: int | str = "self") -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    for figure in figures():
        print(json.dumps(figure))
    sys.stdout.flush()
    os._exit(0)
