"""A small tenant's wait from accepted to begun, and to over, alone and beside another's flood of 100 scans for each.

Real rows, relay, worker process and Temporal; the probe waits 50 ms and finds nothing (tests/peers/sleepers.py). The
flood is accepted before, and rests and runs in turns (its scans at once are none, then its plan's), so that what else
the machine does meets both alike.
"""

import contextlib
import random
import statistics
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text

from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Units
from app.local import ports
from app.local.temporal import TemporalServer
from app.models.scans import Scan
from app.outbox.wakers import Waker
from app.services import assets, plan_overrides, scans
from app.services.plan_overrides import Wanted
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.benchmarks.installations import Installation, installation
from tests.peers.tenants import Made, lift_limits, make_tenant
from tests.peers.workers import working

Figure = dict[str, Any]
Wait = tuple[float, float]  # milliseconds from accepted to begun, and to over
ROUNDS, SCANS, WARM, FLOOD = 4, 12, 3, 100
PAUSES = (0.1, 0.4)
GOAL = 2.0


def figures() -> list[Figure]:
    """p50 and p95 of the small tenant's waits; what the flood got done meanwhile, and its place in line at the end."""
    with installation() as on, _temporal(on) as address, _units() as units:
        small, flood = make_tenant(units), make_tenant(units)
        for made in (small, flood):
            lift_limits(made)
        environment = {**on.variables, "TEMPORAL_ADDRESS": address}
        with working(environment, on.directory / "worker.log", "tests.peers.sleepers") as worker:
            worker.wait_for("worker.ready")
            idle, beside, seconds = _in_turns(small, flood)
            done, left = _counted(flood)
            worker.end()
    found = []
    for what, part, goal in (("scan accepted to begun", 0, GOAL), ("scan accepted to over", 1, None)):
        alone, flooded = [each[part] for each in idle], [each[part] for each in beside]
        middle, late = statistics.median(alone), _late(alone)
        found += [
            _figure(f"{what}, alone, p50", middle, "ms"),
            _figure(f"{what}, alone, p95", late, "ms"),
            _figure(f"{what}, beside a flood of {FLOOD}:1, p50", statistics.median(flooded), "ms", middle),
            _figure(f"{what}, beside a flood of {FLOOD}:1, p95", _late(flooded), "ms", late, goal),
        ]
    return [*found, _figure(f"the flood's own scans while it ran, {left} still in line", done / seconds, "scans/s")]


@contextlib.contextmanager
def _temporal(on: Installation) -> Iterator[str]:
    server = TemporalServer(ports.free_port(), ports.free_port(), on.directory / "temporal.db")
    server.spawn(on.directory / "temporal.log")
    try:
        server.wait()
        yield server.address
    finally:
        server.stop()


@contextlib.contextmanager
def _units() -> Iterator[Units]:
    url = settings().database_url.get_secret_value()
    units = open_units(settings(), url, on_effects=Waker(url).wake)
    yield units
    units.engines.dispose()


def _in_turns(small: Made, flood: Made) -> tuple[list[Wait], list[Wait], float]:
    """Return the small tenant's waits while the flood rests and while it runs, and for how many seconds it ran."""
    waits: dict[bool, list[Wait]] = {False: [], True: []}
    seconds = 0.0
    override = _override(flood, 0, None)
    _accept(flood, ROUNDS * SCANS * FLOOD)
    for _ in range(ROUNDS):
        for runs in (False, True):
            since = time.monotonic()
            if runs:
                _override(flood, None, override)
            waits[runs] += _waits(small)
            if runs:
                seconds += time.monotonic() - since
                override = _override(flood, 0, None)
    return waits[False], waits[True], seconds


def _override(made: Made, at_once: int | None, ended: UUID | None) -> UUID | None:
    """Let so many of the tenant's scans be in flight, as staff would, or as many as its plan says again."""
    url = settings().database_worker_url
    assert url is not None
    units = open_units(settings(), url.get_secret_value(), on_effects=Waker(url.get_secret_value()).wake)
    with tenant_scope(made.id), units.open(Home.ACCOUNT, system_actor("staff tests")) as unit:
        if ended is not None:
            plan_overrides.end_override(unit, ended)
        wanted = Wanted("quota", "concurrent_scans", at_once, "measuring")
        made_id = None if at_once is None else plan_overrides.override(unit, wanted).id
        unit.commit()
    units.engines.dispose()
    return made_id


def _accept(made: Made, count: int) -> None:
    """Accept a scan of a document, then as many like it, each with its own request to be dispatched."""
    with made.unit() as unit:
        asset_id = assets.add_document(unit, name="Letter", text="Nothing to see.").id
        first = scans.start_scan(unit, asset_id, tool="text")
        unit.session.flush()
        unit.session.execute(_MORE_SCANS, {"first": first.id, "count": count - 1})
        unit.session.execute(_MORE_EFFECTS, {"count": count - 1})
        unit.commit()


_MORE_SCANS = text(
    "INSERT INTO scans (id, workspace_id, engagement_id, asset_id, tool, status, workflow_id, requested_by, "
    "requested_kind, created_at) SELECT new, workspace_id, engagement_id, asset_id, tool, status, "
    "tenant_id || ':' || engagement_id || ':' || new, requested_by, requested_kind, created_at + n * interval '1 ms' "
    "FROM scans, LATERAL (SELECT gen_random_uuid() AS new, n FROM generate_series(1, :count) n) many WHERE id = :first"
)
_MORE_EFFECTS = text(
    "INSERT INTO outbox (id, kind, payload, created_at, due_at) SELECT gen_random_uuid(), kind, payload, created_at, "
    "due_at FROM outbox, generate_series(1, :count) WHERE kind = 'scan.dispatch'"
)


def _waits(made: Made) -> list[Wait]:
    """Return how long scans waited that were accepted one by one, each after the one before is over."""
    with made.unit() as unit:
        asset_id = assets.add_document(unit, name="Letter", text="Nothing to see.").id
        unit.commit()
    pause, waits = random.Random(17), list[Wait]()
    for turn in range(WARM + SCANS):
        with made.unit() as unit:
            scan_id = scans.start_scan(unit, asset_id, tool="text").id
            unit.commit()
        scan = _over(made, scan_id)
        assert scan.status == "done", scan.failure
        if turn >= WARM:  # the first pay for imports and connections
            begun, over = (moment - scan.created_at for moment in (scan.started_at, scan.finished_at))
            waits.append((begun.total_seconds() * 1000, over.total_seconds() * 1000))
        time.sleep(pause.uniform(*PAUSES))
    return waits


def _over(made: Made, scan_id: UUID) -> Scan:
    while True:
        time.sleep(0.05)
        with made.unit() as unit:
            scan = scans.get_scan(unit, scan_id)
            if scan.status not in ("queued", "running"):
                return scan


def _counted(made: Made) -> tuple[int, int]:
    """Return how many scans are done, and how many in line."""
    with made.unit() as unit:
        counted = unit.session.execute(select(Scan.status, func.count().label("number")).group_by(Scan.status)).all()
    numbers = {row.status: row.number for row in counted}
    return numbers.get("done", 0), numbers.get("queued", 0)


def _late(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=20)[-1]


def _figure(name: str, value: float, unit: str, baseline: float | None = None, goal: float | None = None) -> Figure:
    ratio = None if baseline is None else round(value / baseline, 2)
    kept = None if baseline is None else round(baseline, 1)
    return {"name": name, "value": round(value, 1), "unit": unit, "baseline": kept, "ratio": ratio, "goal": goal}
