"""How soon an accepted scan begins on a queue that nobody polled: real rows, relay, worker process and Temporal.

`python -m tests.benchmarks.dispatch` prints one JSON line a figure.
"""

import json
import os
import secrets
import statistics
import tempfile
import time
from base64 import b64encode
from pathlib import Path
from typing import Any
from unittest.mock import patch

from app.core.settings import settings
from app.db.migrate import migrate
from app.db.opening import open_units
from app.local import ports, roles
from app.local.postgres import SUPERUSER
from app.local.postgres import start as start_postgres
from app.local.temporal import TemporalServer
from app.outbox.wakers import Waker
from app.services import assets, scans
from tests.peers.workers import working
from tests.plugins.servers import MIGRATED, Database, settings_of
from tests.services.conftest import Made, make_tenant

KEYS = ("SECRET_KEY", "MASTER_KEY", "KEY_PEPPER")
COLD_STARTS = 40
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
            with patch.dict(os.environ, environment):
                settings.cache_clear()
                return _cold(environment, directory)
        finally:
            settings.cache_clear()
            temporal.stop()
            postgres.kill()


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


def _figure(name: str, value: float, unit: str, goal: float | None) -> Figure:
    return {"name": name, "value": round(value, 1), "unit": unit, "baseline": None, "ratio": None, "goal": goal}


def _resident(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    for figure in figures():
        print(json.dumps(figure))
