"""Exactly the plan in flight: two worker processes, real Temporal, one killed, the plan changed meanwhile."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.services import lifecycles
from app.tenancy.context import tenant_scope
from tests.peers.staff import STAFF
from tests.peers.tenants import Made, make_tenant
from tests.peers.workers import WorkerInProcess, working
from tests.plugins.servers import Database, settings_of
from tests.services.test_admissions import accept
from tests.services.test_plans import override

pytestmark = [pytest.mark.temporal, pytest.mark.postgres, pytest.mark.prove, pytest.mark.timeout(600)]
SLEEPERS = "tests.peers.sleepers"


class Watch:
    """Counts a tenant's scans in flight again and again, from outside, each time in one snapshot."""

    def __init__(self, database: Database, tenant: Made) -> None:
        self.database, self.tenant = database, tenant
        self.most, self.looks, self.present = 0, 0, 0
        self._stop, self._forget = threading.Event(), threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def since_now(self) -> None:
        """Forget what was seen, and return when it was looked anew."""
        self._forget.set()
        while self._forget.is_set():
            time.sleep(0.003)

    def _look(self) -> None:
        with psycopg.connect(self.database.superuser, autocommit=True) as connection:
            while not self._stop.wait(0.003):
                [number] = connection.execute(
                    "SELECT count(*) FROM shared.scans WHERE tenant_id = %s AND status IN ('queued', 'running') "
                    "AND (admitted_at IS NOT NULL OR status = 'running')",
                    [self.tenant.id],
                ).fetchone()
                before = 0 if self._forget.is_set() else self.most
                self.present, self.most, self.looks = number, max(before, number), self.looks + 1
                self._forget.clear()

    def until_at_most(self, number: int, seconds: float = 120.0) -> None:
        """Wait until so few are in flight, and forget what was seen before.

        Who was being admitted under other figures is in by then: the tenant's admissions were held up for a moment.
        """
        with psycopg.connect(self.database.superuser) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(7302, hashtext(%s))", [str(self.tenant.id)])
        self.since_now()
        deadline = time.monotonic() + seconds
        while self.present > number:
            assert time.monotonic() < deadline, self.present
            time.sleep(0.003)
        self.since_now()

    def statuses(self) -> dict[str, int]:
        with psycopg.connect(self.database.superuser, autocommit=True) as connection:
            query = "SELECT status, count(*) FROM shared.scans WHERE tenant_id = %s GROUP BY status"
            return dict(connection.execute(query, [self.tenant.id]).fetchall())

    def until_done(self, number: int, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while self.statuses().get("done", 0) < number:
            assert time.monotonic() < deadline, self.statuses()
            time.sleep(0.05)


@pytest.fixture
def variables(fresh_database: Database, secret_variables: dict[str, str]) -> dict[str, str]:
    """The settings of an installation whose workers have nothing to do but this test's work."""
    return settings_of(fresh_database, secret_variables)


@pytest.fixture
def tenant(environment: dict[str, str]) -> Made:
    """A tenant on its trial of the professional plan: five scans at once."""
    return make_tenant(open_units(settings(), settings().database_url.get_secret_value()))


@contextmanager
def two_workers(variables: dict[str, str], address: str, logs: Path) -> Iterator[list[WorkerInProcess]]:
    """Two worker processes, each with its relay, whose probes wait 50 ms."""
    given = {**variables, "TEMPORAL_ADDRESS": address, "DATABASE_URL": variables["DATABASE_WORKER_URL"]}
    with working(given, logs / "one.log", SLEEPERS) as one, working(given, logs / "two.log", SLEEPERS) as two:
        one.wait_for("worker.ready")
        two.wait_for("worker.ready")
        yield [one, two]


def change(tenant: Made, units: Units, verb: str, *given: str) -> None:
    with tenant_scope(tenant.id), units.open(Home.ACCOUNT, STAFF) as unit:
        getattr(lifecycles, verb)(unit, *given)
        unit.commit()


def finished_in_order(database: Database, tenant: Made, ids: list[UUID]) -> bool:
    with psycopg.connect(database.superuser) as connection:
        query = "SELECT id FROM shared.scans WHERE tenant_id = %s ORDER BY admitted_at, created_at, id"
        return [row[0] for row in connection.execute(query, [tenant.id])] == ids


def test_two_workers_one_killed_and_the_plan_changed(
    tenant: Made,
    worker_units: Units,
    fresh_database: Database,
    variables: dict[str, str],
    temporal_address: str,
    tmp_path: Path,
) -> None:
    """Never more in flight than five, after a kill -9 too; then than two, then than twenty; all are done, in order."""
    watch = Watch(fresh_database, tenant)
    ids = accept(tenant, 90)
    with two_workers(variables, temporal_address, tmp_path) as (one, _two), watch.watching():
        watch.until_done(15)
        one.kill()
        watch.until_done(30)
        assert watch.most == 5
        override(tenant, worker_units, "quota", "concurrent_scans", 2)
        watch.until_at_most(2)  # of the five that were in flight enough have ended
        watch.until_done(60)
        assert watch.most == 2
        override(tenant, worker_units, "quota", "concurrent_scans", 20)
        watch.until_done(90)
    assert 5 < watch.most <= 20
    assert watch.statuses() == {"done": 90}
    assert watch.looks > 500
    assert finished_in_order(fresh_database, tenant, ids)


def test_suspended_mid_run_and_resumed(
    tenant: Made,
    worker_units: Units,
    fresh_database: Database,
    variables: dict[str, str],
    temporal_address: str,
    tmp_path: Path,
) -> None:
    """Suspended, all that was not over is cancelled and nothing begins; resumed, what is then accepted is done."""
    watch = Watch(fresh_database, tenant)
    accept(tenant, 40)
    with two_workers(variables, temporal_address, tmp_path), watch.watching():
        watch.until_done(10)
        change(tenant, worker_units, "suspend_tenant", "unpaid")
        deadline = time.monotonic() + 90
        while set(watch.statuses()) - {"done", "cancelled"}:
            assert time.monotonic() < deadline, watch.statuses()
            time.sleep(0.05)
        watch.since_now()
        done = watch.statuses()["done"]
        time.sleep(1)
        assert (watch.most, watch.statuses()["done"]) == (0, done)
        change(tenant, worker_units, "resume_tenant", "paid")
        accept(tenant, 8)
        watch.until_done(done + 8)
    assert watch.most <= 5
