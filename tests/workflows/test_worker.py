"""The worker process, from the accepted scan to its end."""

import os
import time
from pathlib import Path
from uuid import UUID

import pytest

from app.core.settings import settings
from app.db.opening import open_units
from app.services import assets, scans
from tests.peers.tenants import Made, make_tenant
from tests.peers.workers import working
from tests.plugins.servers import Database, settings_of

pytestmark = [pytest.mark.temporal, pytest.mark.postgres, pytest.mark.timeout(400)]


@pytest.fixture
def variables(fresh_database: Database, secret_variables: dict[str, str]) -> dict[str, str]:
    """The settings of an installation whose worker has nothing to do but this test's work."""
    return settings_of(fresh_database, secret_variables)


@pytest.fixture
def tenant(environment: dict[str, str]) -> Made:
    """A tenant made by the services, as the web process makes one."""
    return make_tenant(open_units(settings(), settings().database_url.get_secret_value()))


@pytest.fixture
def worker_environment(variables: dict[str, str], temporal_address: str) -> dict[str, str]:
    """What the worker of this test is told."""
    return {**variables, "TEMPORAL_ADDRESS": temporal_address, "DATABASE_URL": variables["DATABASE_WORKER_URL"]}


def start_text_scan(tenant: Made, text: str = "My card is 4532-1234-5678-9010") -> UUID:
    with tenant.unit() as unit:
        asset = assets.add_document(unit, name="Letter", text=text)
        scan = scans.start_scan(unit, asset.id, tool="text")
        unit.commit()
        return scan.id


def status_of(tenant: Made, scan_id: UUID) -> str:
    with tenant.unit() as unit:
        return scans.get_scan(unit, scan_id).status


def wait_until_over(tenant: Made, scan_id: UUID, seconds: float = 240.0) -> str:
    deadline = time.monotonic() + seconds
    while (status := status_of(tenant, scan_id)) in ("queued", "running"):
        assert time.monotonic() < deadline, f"still {status}"
        time.sleep(0.1)
    return status


def test_a_scan_runs_to_its_findings_and_the_worker_leaves_with_status_0(
    tenant: Made, worker_environment: dict[str, str], tmp_path: Path
) -> None:
    """An accepted scan is done by a worker of its own process, which leaves with status 0 on SIGTERM."""
    scan_id = start_text_scan(tenant)
    with working(worker_environment, tmp_path / "worker.log") as worker:
        assert wait_until_over(tenant, scan_id) == "done", worker.log.read_text()
        with tenant.unit() as unit:
            assert scans.get_scan(unit, scan_id).finding_count > 0
        assert worker.end() == 0, worker.log.read_text()
    log = (tmp_path / "worker.log").read_text()
    assert "4532" not in log
    assert "Traceback" not in log


def test_scans_wait_while_temporal_is_away(tenant: Made, worker_environment: dict[str, str], tmp_path: Path) -> None:
    """Without Temporal the worker stays, the scan stays queued, and SIGTERM still ends it with status 0."""
    scan_id = start_text_scan(tenant)
    away = {**worker_environment, "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    with working(away, tmp_path / "worker.log") as worker:
        worker.wait_for("worker.temporal_away")
        time.sleep(2)
        assert status_of(tenant, scan_id) == "queued"
        assert worker.end() == 0
    with working(worker_environment, tmp_path / "next.log"):
        assert wait_until_over(tenant, scan_id) == "done"


def test_a_login_with_too_many_rights_is_refused(worker_environment: dict[str, str], tmp_path: Path) -> None:
    """With the owner's login the worker ends with status 3 and says why."""
    owner = worker_environment["DATABASE_OWNER_URL"]
    with working({**worker_environment, "DATABASE_WORKER_URL": owner}, tmp_path / "worker.log") as worker:
        assert worker.process.wait(90) == 3
    assert "login of their own" in (tmp_path / "worker.log").read_text()


def test_a_killed_worker_s_scan_is_finished_by_the_next(
    tenant: Made, worker_environment: dict[str, str], tmp_path: Path
) -> None:
    """Work that a killed worker had begun is done by the one started after it."""
    ids = [start_text_scan(tenant, f"card 4532-1234-5678-9010 and {os.urandom(4).hex()}") for _ in range(3)]
    with working(worker_environment, tmp_path / "first.log") as worker:
        worker.wait_for("worker.ready")
        time.sleep(0.3)
        worker.kill()
    with working(worker_environment, tmp_path / "second.log"):
        assert [wait_until_over(tenant, one) for one in ids] == ["done"] * 3
