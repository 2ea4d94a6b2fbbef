"""Quotas under many processes, kills and a month that turns: nothing beyond the limit, nothing lost."""

import json
from collections import Counter
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from app.db.units import Home, Units
from app.models.plans import QuotaReservation
from app.scanners.probes import Artefact
from app.services import admissions, assets, scans
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.peers import counters
from tests.peers.quota_books import quotas_agree
from tests.peers.tenants import Made
from tests.plugins.servers import Database
from tests.services.test_plans import override
from tests.services.test_quotas import start, used

WORKER = system_actor("worker")


def counted(tenant: Made) -> dict[str, int]:
    with tenant.unit() as unit:
        rows = unit.session.execute(text("SELECT quota, period, used FROM quota_counters")).all()
    return {f"{row.quota}:{row.period:%Y-%m}": row.used for row in rows if row.used}


def storm(
    tenant: Made, environment: dict[str, str], *, processes: int, seconds: float, turn_after: float
) -> tuple[Counter[str], Counter[str]]:
    """Let so many processes use the quotas at once; return what they kept, and how often what happened."""
    running = [counters.start(environment, tenant.id, seconds, seed) for seed in range(processes)]
    counters.let_go(running, turn_after)
    kept: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for process in running:
        out, _ = process.communicate(timeout=seconds + 120)
        assert process.returncode == 0, out
        told = json.loads(out)
        kept.update(told["kept"])
        counts.update(told["counts"])
    return kept, counts


def check(kept: Counter[str], counts: Counter[str], tenant: Made, limits: dict[str, int]) -> None:
    assert counts["errors"] == 0
    assert dict(kept) == counted(tenant), "lost or admitted twice"
    for name, number in kept.items():
        assert number <= limits[name.split(":")[0]], f"{name} was admitted beyond its limit"


def test_two_processes_meet_a_limit_exactly(tenant: Made, worker_units: Units, environment: dict[str, str]) -> None:
    """The short form of the proof below: the counters are what was kept, and no more than the limit."""
    override(tenant, worker_units, "quota", "scans", 60)
    override(tenant, worker_units, "quota", "texts", 20)
    kept, counts = storm(tenant, environment, processes=2, seconds=1.5, turn_after=1e6)
    check(kept, counts, tenant, {"scans": 60, "texts": 20})
    assert counts["refused"] > 0 and counts["rolled_back"] > 0


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_sixteen_processes_two_quotas_half_rolled_back_while_the_month_turns(
    tenant: Made, worker_units: Units, environment: dict[str, str]
) -> None:
    """16 processes on one tenant's counters: 0 over-admission, 0 lost, in the old month as in the new."""
    override(tenant, worker_units, "quota", "scans", 3_000)
    override(tenant, worker_units, "quota", "texts", 700)
    kept, counts = storm(tenant, environment, processes=16, seconds=20, turn_after=14)
    check(kept, counts, tenant, {"scans": 3_000, "texts": 700})
    print(f"kept {dict(kept)}; {dict(counts)}")
    assert {name.split(":")[1] for name in kept} == {"2026-01", "2026-02"}
    assert counts["refused"] > 0 and counts["rolled_back"] > 0


@pytest.mark.parametrize("step", ["reserve", "claim", "complete", "fail", "cancel"])
def test_a_kill_at_each_step_leaves_scan_and_reservation_agreed(
    step: str, tenant: Made, worker_units: Units, postgres_server: Database
) -> None:
    """A connection that is cut before the commit of a step leaves both as they were; the step done anew moves both."""
    scan_id = None if step == "reserve" else start(tenant).id
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        if step in ("complete",) and scan_id is not None:
            admissions.admit_scans(unit)
            scans.claim_scan(unit, scan_id)
            unit.commit()
    for cut in (True, False):
        do(step, tenant, worker_units, scan_id, postgres_server if cut else None)
        quotas_agree(postgres_server.superuser, tenant.id)
    expected = {"reserve": 1, "claim": 1, "complete": 1, "fail": 0, "cancel": 0}
    assert used(tenant) == expected[step]
    quotas_agree(postgres_server.superuser, tenant.id)


def do(step: str, tenant: Made, worker_units: Units, scan_id: UUID | None, cut: Database | None) -> None:
    """Take the step; with `cut` its connection is ended, as a kill -9 would, just before it commits."""
    units = tenant.units if step in ("reserve", "cancel") else worker_units
    actor = tenant.actor if step in ("reserve", "cancel") else WORKER
    try:
        with tenant_scope(tenant.id), units.open(Home.CONTENT, actor) as unit:
            if step == "reserve":
                scans.start_scan(unit, assets.add_document(unit, name="Letter", text="hello").id, tool="text")
            elif scan_id is not None:
                {
                    "claim": lambda: (admissions.admit_scans(unit), scans.claim_scan(unit, scan_id)),
                    "complete": lambda: scans.complete_scan(unit, scan_id, Artefact("text", [])),
                    "fail": lambda: scans.fail_scan(unit, scan_id, "no answer"),
                    "cancel": lambda: scans.cancel_scan(unit, scan_id),
                }[step]()
            unit.session.flush()
            if cut is not None:
                backend = unit.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
                with psycopg.connect(cut.superuser, autocommit=True) as outside:  # returns when it has ended
                    assert outside.execute("SELECT pg_terminate_backend(%s, 60000)", [backend]).fetchone() == (True,)
            unit.commit()
    except Exception:
        assert cut is not None, "only a cut step fails"


def test_counters_equal_the_rows_behind_them(tenant: Made, worker_units: Units, postgres_server: Database) -> None:
    """After scans of every end the month's number is the number of reservations that are not released."""
    made = [start(tenant) for _ in range(6)]
    with tenant_scope(tenant.id), worker_units.open(Home.CONTENT, WORKER) as unit:
        admissions.admit_scans(unit)
        scans.claim_scan(unit, made[0].id)
        scans.complete_scan(unit, made[0].id, Artefact("text", []))
        scans.fail_scan(unit, made[1].id, "no answer")
        unit.commit()
    with tenant.unit() as unit:
        scans.cancel_scan(unit, made[2].id)
        unit.commit()
    with tenant.unit() as unit:
        states = [row.state for row in unit.session.query(QuotaReservation)]
    assert used(tenant) == len(states) - states.count("released") == 4
    quotas_agree(postgres_server.superuser, tenant.id)
