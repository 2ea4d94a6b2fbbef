"""Admission: never more in flight than the plan allows, in order, at a cost that the backlog does not raise."""

import threading
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import select, text

from app.core.errors import Unavailable
from app.db.units import Home, Unit, Units
from app.models.accounts import AccountEffect
from app.models.scans import Scan
from app.models.trails import Effect
from app.scanners.probes import Artefact
from app.services import admissions, lifecycles, plan_overrides, scans
from app.tenancy.actors import Actor, ActorKind, system_actor
from app.tenancy.context import tenant_scope
from tests.peers.tenants import Made
from tests.plugins.servers import Database
from tests.services.test_plans import override
from tests.services.test_quotas import start

pytestmark = pytest.mark.postgres
WORKER = system_actor("worker")


def accept(made: Made, count: int) -> list[UUID]:
    """Accept scans of one document, in order."""
    first = start(made)
    ids = [first.id]
    for _ in range(count - 1):
        with made.unit() as unit:
            ids.append(scans.start_scan(unit, first.asset_id, tool="text").id)
            unit.commit()
    return ids


def in_flight(unit: Unit) -> int:
    return unit.session.scalar(
        text("SELECT count(*) FROM scans WHERE admitted_at IS NOT NULL AND status IN ('queued', 'running')")
    )


def test_many_relays_admit_exactly_the_plan_in_order(tenant: Made, worker_units: Units) -> None:
    """Six threads that admit and finish at once never have more in flight than two, and no scan passes another."""
    override(tenant, worker_units, "quota", "concurrent_scans", 2)
    ids = accept(tenant, 18)
    most: list[int] = []

    def work() -> None:
        with tenant_scope(tenant.id):
            for _ in range(60):
                with worker_units.open(Home.CONTENT, WORKER) as unit:
                    admitted = [each.scan_id for each in admissions.admit_scans(unit)]
                    most.append(in_flight(unit))
                    unit.commit()
                for scan_id in admitted:
                    with worker_units.open(Home.CONTENT, WORKER) as unit:
                        if scans.claim_scan(unit, scan_id) is not None:
                            scans.complete_scan(unit, scan_id, Artefact("text", []))
                        unit.commit()
                with tenant.unit() as unit:
                    if unit.session.scalar(select(Scan.id).where(Scan.finished_at.is_(None)).limit(1)) is None:
                        return

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 2
    with tenant.unit() as unit:
        rows = unit.session.execute(select(Scan.id, Scan.status, Scan.admitted_at).order_by(Scan.admitted_at)).all()
    assert {row.status for row in rows} == {"done"}
    admitted_at = {row.id: row.admitted_at for row in rows}
    assert [admitted_at[one] for one in ids] == sorted(admitted_at.values())


def test_a_scan_that_is_not_admitted_does_not_run(tenant: Made, worker_units: Units) -> None:
    """A workflow that was started without a committed admission is told to come again, and runs once there is room."""
    [scan_id] = accept(tenant, 1)
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        with pytest.raises(Unavailable):
            scans.claim_scan(unit, scan_id)
        assert unit.session.scalar(select(Scan.status).where(Scan.id == scan_id)) == "queued"
        admissions.admit_scans(unit)
        assert scans.claim_scan(unit, scan_id) is not None


def test_one_dispatch_does_for_all_that_are_due(tenant: Made, worker_units: Units) -> None:
    """The effect that admits takes the tenant's others over, and leaves its own to its relay and later ones to come."""
    accept(tenant, 4)
    with tenant.unit() as unit:
        own, later, *_ = unit.session.scalars(select(Effect.id).where(Effect.kind == "scan.dispatch")).all()
        unit.session.execute(text("UPDATE outbox SET due_at = due_at + interval '1 hour' WHERE id = :o"), {"o": later})
        unit.commit()
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        admissions.admit_scans(unit, own)
        unit.commit()
    with tenant.unit() as unit:
        left = unit.session.scalars(select(Effect.id).where(Effect.kind == "scan.dispatch", Effect.done_at.is_(None)))
        assert set(left) == {own, later}


def test_an_admission_of_fewer_than_there_is_room_for_asks_for_the_next(tenant: Made, worker_units: Units) -> None:
    """One scan at a time, each with the request for the next, until there is no room or nothing in line."""
    override(tenant, worker_units, "quota", "concurrent_scans", 3)
    ids = accept(tenant, 4)
    admitted: list[int] = []
    with tenant_scope(tenant.id):
        for turn in range(5):
            with worker_units.open(Home.CONTENT, WORKER) as unit:
                due = unit.session.scalars(
                    select(Effect.id).where(Effect.kind == "scan.dispatch", Effect.done_at.is_(None))
                ).all()
                admissions.admit_scans(unit, uuid4(), 1)
                admitted.append(in_flight(unit))
                if turn == 3:
                    scans.claim_scan(unit, ids[0])
                    scans.fail_scan(unit, ids[0], "Measured.")
                unit.commit()
            assert bool(due) is (turn in {0, 1, 2, 4})
    assert admitted == [1, 2, 3, 3, 3]


def test_a_backlog_is_not_read(tenant: Made, worker_units: Units, postgres_server: Database) -> None:
    """Behind 5,000 scans in line an admission reads what is in flight and the line's head."""
    [scan_id] = accept(tenant, 1)
    with psycopg.connect(postgres_server.superuser, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO shared.scans (tenant_id, id, workspace_id, engagement_id, asset_id, tool, status, "
            "workflow_id, requested_by, requested_kind, created_at) "
            "SELECT tenant_id, gen_random_uuid(), workspace_id, engagement_id, asset_id, tool, status, "
            "workflow_id, requested_by, requested_kind, created_at + n * interval '1 ms' "
            "FROM shared.scans, generate_series(1, 5000) n WHERE id = %s",
            [scan_id],
        )
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        assert len(admissions.admit_scans(unit, uuid4())) == 5
        read = unit.session.scalar(
            text("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_all_tables WHERE relname = 'scans'")
        )
    assert read < 150


@pytest.mark.parametrize("way", ["override", "end", "plan"])
def test_more_room_is_taken_without_being_asked(way: str, tenant: Made, worker_units: Units) -> None:
    """A larger figure or plan asks for a dispatch in its own commit; what waits is admitted with it."""
    override(tenant, worker_units, "quota", "concurrent_scans", 1)
    accept(tenant, 4)
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        assert len(admissions.admit_scans(unit)) == 1
        unit.commit()

    def asked() -> int:
        with tenant.unit(Home.ACCOUNT) as unit:
            return len(unit.session.scalars(select(AccountEffect).where(AccountEffect.kind == "scan.dispatch")).all())

    before = asked()
    staff = Actor(ActorKind.STAFF, None, "Sentinel staff: sam@example.com", frozenset(), None, None, None)
    with tenant_scope(tenant.id), worker_units.open(Home.ACCOUNT, staff) as unit:
        if way == "override":
            plan_overrides.override(unit, plan_overrides.Wanted("quota", "concurrent_scans", 3, "the audit"))
        elif way == "end":
            [mine] = unit.session.scalars(select(plan_overrides.PlanOverride))
            plan_overrides.end_override(unit, mine.id)
        else:
            lifecycles.change_plan(unit, "enterprise", "they pay")
        unit.commit()
    assert asked() == before + 1
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        assert len(admissions.admit_scans(unit)) == {"override": 3, "end": 4, "plan": 1}[way]


def test_a_smaller_plan_stops_nothing_and_admits_nothing(tenant: Made, worker_units: Units) -> None:
    """What is in flight beyond a smaller figure goes on; the next is admitted when fewer than it are left."""
    ids = accept(tenant, 6)
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        assert len(admissions.admit_scans(unit)) == 5
        unit.commit()
    override(tenant, worker_units, "quota", "concurrent_scans", 2)
    with tenant_scope(tenant.id):
        for done in ids[:4]:
            with worker_units.open(Home.CONTENT, WORKER) as unit:
                assert ids[5] not in [each.scan_id for each in admissions.admit_scans(unit)]
                assert scans.claim_scan(unit, done) is not None
                scans.complete_scan(unit, done, Artefact("text", []))
                unit.commit()
        with worker_units.open(Home.CONTENT, WORKER) as unit:
            assert ids[5] in [each.scan_id for each in admissions.admit_scans(unit)]


def test_a_scan_says_why_it_waits(tenant: Made, worker_units: Units) -> None:
    """How many are before it and how many the plan runs; the workers it waits for; nothing once it runs."""
    override(tenant, worker_units, "quota", "concurrent_scans", 3)
    ids = accept(tenant, 6)
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        admissions.admit_scans(unit)
        for scan_id in ids[:2]:
            scans.claim_scan(unit, scan_id)
        unit.commit()

    def wait(place: int) -> tuple[int, str] | None:
        with tenant.unit() as unit:
            found = admissions.wait_of(unit, scans.get_scan(unit, ids[place]))
            return found and (found.before, found.reason)

    assert wait(0) is None
    assert wait(2) == (0, "Admitted: it begins as soon as one of your plan's 2 workers is free.")
    assert wait(3) == (0, "Waiting: it is the next one, because your plan runs 3 at a time.")
    assert wait(4) == (1, "Waiting: 1 scan before it, because your plan runs 3 at a time.")
    assert wait(5) == (2, "Waiting: 2 scans before it, because your plan runs 3 at a time.")


def test_a_cancelled_scan_that_waited_troubles_nobody(tenant: Made, worker_units: Units) -> None:
    """One in line has no workflow to cancel and frees no place; one in flight has and does."""
    override(tenant, worker_units, "quota", "concurrent_scans", 1)
    running, waiting = accept(tenant, 2)
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        admissions.admit_scans(unit)
        unit.commit()
    asked = {}
    for scan_id in (waiting, running):
        with tenant.unit() as unit:
            before = len(unit.session.scalars(select(Effect.id)).all())
            scans.cancel_scan(unit, scan_id)
            unit.session.flush()
            asked[scan_id] = len(unit.session.scalars(select(Effect.id)).all()) - before
            unit.commit()
    assert asked == {waiting: 0, running: 2}
