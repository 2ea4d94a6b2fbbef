"""kill -9 at each step of a scan, of the very process that takes it: scan, reservation and counter agree afterwards."""

import time
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.services import assets, lifecycles, quotas, scans
from app.services.plans import Quota
from app.tenancy.context import tenant_scope
from tests.peers.mortals import AFTER, BEFORE, HOPELESS, TAKEN_BY
from tests.peers.quota_books import quotas_agree
from tests.peers.staff import STAFF
from tests.peers.tenants import Made, make_tenant
from tests.peers.workers import WorkerInProcess, working
from tests.plugins.servers import Database, settings_of

pytestmark = [pytest.mark.temporal, pytest.mark.postgres]
# How the scan of each step ends once another worker has gone on.
ENDS = {"admit": "done", "claim": "done", "complete": "done", "fail": "failed", "stop": "cancelled"}
OPEN = """SELECT count(*) FROM shared.scans WHERE tenant_id = ANY (%s) AND status IN ('queued', 'running')"""


@pytest.fixture
def variables(fresh_database: Database, secret_variables: dict[str, str]) -> dict[str, str]:
    """The settings of an installation whose workers have nothing to do but this test's work."""
    return settings_of(fresh_database, secret_variables)


def accept(made: Made, words: str = "hello") -> UUID:
    with made.unit() as unit:
        scan = scans.start_scan(unit, assets.add_document(unit, name="Letter", text=words).id, tool="text")
        unit.commit()
        return scan.id


def kill_at(environment: dict[str, str], log: Path, what: str, made: Made, *step: str) -> None:
    """Run the process until it has killed itself."""
    arguments = ("tests.peers.mortals", what, str(made.id), *step)
    process = WorkerInProcess(environment, log, *arguments)
    assert process.process.wait(120) == -9, log.read_text()[-3000:]


def stand(made: Made) -> tuple[list[str], int]:
    with made.unit() as unit:
        used = quotas.used_of(unit, Quota.SCANS)[0]
        return sorted(scan.status for scan in scans.list_scans(unit).rows), used


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_a_process_killed_at_a_step_leaks_and_loses_nothing(
    environment: dict[str, str],
    variables: dict[str, str],
    temporal_address: str,
    worker_units: Units,
    fresh_database: Database,
    tmp_path: Path,
) -> None:
    """Each step of a scan, killed before or after its commit: scan and reservation have moved both, or neither."""
    units = open_units(settings(), settings().database_url.get_secret_value())
    of_worker = {**variables, "TEMPORAL_ADDRESS": temporal_address, "DATABASE_URL": variables["DATABASE_WORKER_URL"]}
    log, everyone, ends = tmp_path / "mortals.log", [], {}
    for moment in (BEFORE, AFTER):
        for step in TAKEN_BY:
            made = make_tenant(units)
            accept(made, HOPELESS if step == "fail" else "hello")
            if step == "stop":
                with tenant_scope(made.id), worker_units.open(Home.ACCOUNT, STAFF) as unit:
                    lifecycles.suspend_tenant(unit, "not paid")
                    unit.commit()
            kill_at(of_worker, log, "work", made, step, moment)
            quotas_agree(fresh_database.superuser, made.id)
            everyone.append(made)
            ends[made.id] = ([ENDS[step]], int(ENDS[step] == "done"))
        for step in ("reserve", "cancel"):
            made = make_tenant(units)
            scan = (str(accept(made)),) if step == "cancel" else ()
            kill_at(dict(variables), log, "ask", made, step, moment, *scan)
            quotas_agree(fresh_database.superuser, made.id)
            everyone.append(made)
            left = {("reserve", BEFORE): [], ("cancel", AFTER): ["cancelled"]}.get((step, moment), ["done"])
            ends[made.id] = (left, left.count("done"))
    with working(of_worker, tmp_path / "next.log"):
        until_over(fresh_database, list(ends))
    assert {made.id: stand(made) for made in everyone} == ends
    quotas_agree(fresh_database.superuser, *(made.id for made in everyone))


def until_over(server: Database, tenants: list[UUID], seconds: float = 240.0) -> None:
    """Wait until no scan of theirs is open."""
    deadline = time.monotonic() + seconds
    with psycopg.connect(server.superuser, autocommit=True) as connection:
        while left := connection.execute(OPEN, [tenants]).fetchone():
            if not left[0]:
                return
            assert time.monotonic() < deadline, f"{left[0]} scans are still open"
            time.sleep(0.2)
