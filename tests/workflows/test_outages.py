"""What was accepted is carried out although Temporal and the worker are killed under it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from app.core.settings import settings
from app.db.opening import open_units
from app.local import ports
from app.local.temporal import TemporalServer
from app.services import assets, findings, scans
from tests.peers.tenants import Made, make_tenant
from tests.peers.workers import working
from tests.plugins.servers import Database, settings_of

pytestmark = [pytest.mark.temporal, pytest.mark.postgres, pytest.mark.timeout(400)]


@pytest.fixture
def variables(fresh_database: Database, secret_variables: dict[str, str]) -> dict[str, str]:
    """The settings of an installation whose worker has nothing to do but this test's work."""
    return settings_of(fresh_database, secret_variables)


@pytest.fixture
def tenants(environment: dict[str, str]) -> list[Made]:
    """Two tenants made by the services."""
    units = open_units(settings(), settings().database_url.get_secret_value())
    return [make_tenant(units), make_tenant(units)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TemporalServer]:
    """A Temporal whose state is in a file."""
    made = TemporalServer(ports.free_port(), ports.free_port(), tmp_path / "temporal.db")
    made.spawn(tmp_path / "temporal.log")
    made.wait()
    yield made
    made.kill()


def accept(tenant: Made, count: int) -> list[UUID]:
    with tenant.unit() as unit:
        made = []
        for _ in range(count):
            text = f"My card is 4532-1234-5678-9010, {os.urandom(4).hex()}"
            asset = assets.add_document(unit, name="Letter", text=text)
            made.append(scans.start_scan(unit, asset.id, tool="text").id)
        unit.commit()
    return made


def wait_until_done(accepted: list[tuple[Made, UUID]], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    waiting = list(accepted)
    while waiting:
        tenant, scan_id = waiting[0]
        with tenant.unit() as unit:
            status = scans.get_scan(unit, scan_id).status
        if status == "done":
            waiting.pop(0)
            continue
        assert status in ("queued", "running"), status
        assert time.monotonic() < deadline, f"{len(waiting)} not done, the first is {status}"
        time.sleep(0.1)


def test_scans_outlive_a_killed_temporal_and_a_killed_worker(
    tenants: list[Made], variables: dict[str, str], server: TemporalServer, tmp_path: Path
) -> None:
    """Killed together in the middle of twelve scans and started again, they finish all, each once."""
    told = {**variables, "TEMPORAL_ADDRESS": server.address, "DATABASE_URL": variables["DATABASE_WORKER_URL"]}
    with working(told, tmp_path / "first.log") as first:
        first.wait_for("worker.ready")
        accepted = [(tenant, one) for tenant in tenants for one in accept(tenant, 6)]
        time.sleep(1.0)
        server.kill()
        time.sleep(1.0)
        first.kill()
    server.spawn(tmp_path / "again.log")
    server.wait()
    with working(told, tmp_path / "second.log") as second:
        wait_until_done(accepted, 240.0)
        assert second.end() == 0
    for tenant, scan_id in accepted:
        with tenant.unit() as unit:
            found = findings.findings_of_scan(unit, scan_id)
            assert len(found) == scans.get_scan(unit, scan_id).finding_count > 0


def test_a_worker_outlives_a_killed_temporal(
    tenants: list[Made], variables: dict[str, str], server: TemporalServer, tmp_path: Path
) -> None:
    """The same worker process goes on when Temporal is back, with what was accepted before and meanwhile."""
    told = {**variables, "TEMPORAL_ADDRESS": server.address, "DATABASE_URL": variables["DATABASE_WORKER_URL"]}
    with working(told, tmp_path / "worker.log") as worker:
        worker.wait_for("worker.ready")
        accepted = [(tenants[0], one) for one in accept(tenants[0], 4)]
        time.sleep(0.5)
        server.kill()
        accepted += [(tenants[1], one) for one in accept(tenants[1], 2)]
        time.sleep(3.0)
        server.spawn(tmp_path / "again.log")
        server.wait()
        wait_until_done(accepted, 240.0)
        assert worker.end() == 0
