"""Overview and lists of findings in a tenant with a million of them, beside other tenants and against a small one.

`FINDINGS=100000 python -m tests.benchmarks findings` takes fewer.
"""

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from app.core.settings import settings
from app.db.units import Units
from app.factory import create_app
from app.services.pages import Position, encode_cursor
from tests.benchmarks.installations import installation, opened_units
from tests.peers.programs import issue
from tests.peers.tenants import Made, lift_limits, make_tenant
from tests.peers.visitors import Person

Figure = dict[str, Any]
ROOT = Path(__file__).parents[2]
LARGE, SMALL, OTHERS, EACH = int(os.environ.get("FINDINGS", "1000000")), 1_000, 20, 5_000
WARM, ROUNDS = 4, 30
GOAL_MS = 200.0
PLAIN = "findings:None:None:None:None:None:None:None"  # what a cursor of the unfiltered list is bound to

# A tenant's assets (a hundredth of its findings, at most 500), two scans of each, and findings over a year: rows
# with ids in the order of time, as ours are.
ASSETS = """
INSERT INTO shared.assets (tenant_id, id, workspace_id, name, code, kind, url, host, port, created_at, created_by)
SELECT %(tenant)s, gen_random_uuid(), %(tenant)s, 'Host ' || n, 'host-' || n, 'web', 'https://h' || n || '.example/',
       'h' || n || '.example', 443, now() - interval '1 year', 'x' FROM generate_series(1, %(assets)s) n"""
ENGAGEMENT = """
INSERT INTO shared.engagements (tenant_id, id, workspace_id, name, status, created_at)
VALUES (%(tenant)s, gen_random_uuid(), %(tenant)s, 'Unplanned scans', 'open', now())"""
SCANS = """
INSERT INTO shared.scans (tenant_id, id, workspace_id, engagement_id, asset_id, tool, status, workflow_id, requested_by,
                          requested_kind, created_at, started_at, finished_at, finding_count)
SELECT a.tenant_id, gen_random_uuid(), a.workspace_id, e.id, a.id, 'posture',
       CASE WHEN hashtext(a.code || n) %% 20 = 0 THEN 'failed' ELSE 'done' END, 'w', 'x', 'user',
       now() - n * interval '5 days' - random() * interval '4 days', now(), now(), 10
FROM shared.assets a JOIN shared.engagements e ON e.tenant_id = a.tenant_id, generate_series(0, 1) n
WHERE a.tenant_id = %(tenant)s"""
FINDINGS = """
INSERT INTO shared.findings (tenant_id, id, workspace_id, asset_id, fingerprint, rule, title, severity, cwe, location,
                             evidence, remedy, status, first_seen_at, last_seen_at, first_scan_id, last_scan_id)
SELECT %(tenant)s, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
                    || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15))::uuid,
       %(tenant)s, a.id, md5(n::text), 'rule-' || n %% 30, 'Something amiss ' || n %% 30,
       (ARRAY['critical', 'high', 'medium', 'low', 'info'])
           [width_bucket(hashtext('s' || n) & 1023, ARRAY[0, 8, 80, 400, 750])],
       693, '/path/' || n, repeat('seen ', 30), repeat('Mend it. ', 12),
       (ARRAY['open', 'resolved', 'accepted', 'false_positive'])
           [width_bucket(hashtext('t' || n) & 1023, ARRAY[0, 600, 900, 1000])],
       at, least(at + interval '20 days', now()), a.scan, a.scan
FROM (SELECT n, now() - (%(number)s - n) * (interval '365 days' / %(number)s) AS at
      FROM generate_series(1, %(number)s) n) f
JOIN (SELECT s.asset_id AS id, (array_agg(s.id))[1] AS scan, row_number() OVER () - 1 AS place FROM shared.scans s
      WHERE s.tenant_id = %(tenant)s GROUP BY s.asset_id) a ON a.place = f.n %% %(assets)s"""
CALLS = """
INSERT INTO shared.api_calls (tenant_id, id, at, key_name, method, endpoint, status, microseconds, request_id)
SELECT %(tenant)s, gen_random_uuid(), now() - n * interval '20 seconds', 'CI', 'GET', '/api/v1/findings', 200, 900, 'r'
FROM generate_series(1, least(%(number)s, 100000)) n"""


def figures() -> list[Figure]:
    """Milliseconds of each page, a whole request from cookie to markup: p95, and p50 against the small tenant's.

    Beside the clock the processor time of the request's thread and of the database's processes, which other programs on
    the machine do not lengthen.
    """
    with installation() as on, opened_units() as units:
        large, small = _made(units), _made(units)
        others = [make_tenant(units) for _ in range(OTHERS)]
        began = time.perf_counter()
        with psycopg.connect(on.database.superuser, autocommit=True) as outside:
            outside.execute("SET session_replication_role = replica")
            for made, number in ((large, LARGE), (small, SMALL), *((other, EACH) for other in others)):
                _fill(outside, made.id, number)
            _count(outside)
        print(f"{LARGE:,} findings in {time.perf_counter() - began:.0f} s", flush=True)
        app = create_app()
        backends = Backends(on.database.superuser)
        asked = {made.id: _asks(app, made) for made in (large, small)}
        found = [
            figure
            for name in asked[large.id]
            for figure in _compared(name, asked[large.id][name], asked[small.id][name], backends)
        ]
        app.extensions["sentinel"].units.engines.dispose()
        return found


def _made(units: Units) -> Made:
    made = make_tenant(units)
    lift_limits(made)
    return made


def _fill(outside: "psycopg.Connection[Any]", tenant: UUID, number: int) -> None:
    given = {"tenant": tenant, "number": number, "assets": min(max(number // 100, 4), 500)}
    for statement in (ASSETS, ENGAGEMENT, SCANS, FINDINGS, CALLS):
        outside.execute(statement.encode(), given)


def _count(outside: "psycopg.Connection[Any]") -> None:
    """Count the findings as the migration does, and let the planner know of everything, as autovacuum would."""
    outside.execute("SET search_path = shared, public")
    for statement in (ROOT / "migrations/content/0005_overviews.sql").read_text().split(";"):
        if statement.strip():
            outside.execute(statement.encode())
    outside.execute("VACUUM (ANALYZE)")


def _asks(app: Any, made: Made) -> dict[str, Callable[[], None]]:
    """Return what is measured, by name."""
    person = Person(app, settings().base_url).sign_in(made)
    _key, secret = issue(made, "tenant:findings:read")
    with made.unit() as unit:
        row = (
            unit.session.connection()
            .exec_driver_sql(
                "SELECT first_seen_at, id, asset_id, first_seen_at::date AS day FROM findings "
                "WHERE first_seen_at < now() - interval '328 days' ORDER BY first_seen_at DESC LIMIT 1"
            )
            .one()
        )
        deep = encode_cursor(unit, Position(row.first_seen_at, row.id), PLAIN)

    def page(path: str) -> Callable[[], None]:
        def ask() -> None:
            answer = person.get(person.at(path))
            assert answer.status_code == 200, (path, answer.status_code)

        return ask

    def call() -> None:
        headers = {"X-API-Key": secret}
        answer = app.test_client().get("/api/v1/findings?limit=100", headers=headers, base_url=settings().base_url)
        assert answer.status_code == 200, answer.text

    pages = {
        "overview": "/",
        "overview, 90 days": "/?days=90",
        "findings, first page": "/findings",
        "findings, open": "/findings?status=open",
        "findings, false positives": "/findings?status=false_positive",
        "findings, critical": "/findings?severity=critical",
        "findings, open and critical": "/findings?status=open&severity=critical",
        "findings, of one asset": f"/findings?asset_id={row.asset_id}",
        "findings, of one asset, accepted, low": f"/findings?asset_id={row.asset_id}&status=accepted&severity=low",
        "findings, of one day": f"/findings?day={row.day}",
        "findings, of half a year, high": f"/findings?since={row.day}&severity=high",
        "findings, of the workspace, critical": f"/findings?workspace_id={made.id}&severity=critical",
        "findings, nine tenths down": f"/findings?after={deep}",
        "findings, searched: frequent": "/findings?q=amiss",
        "findings, searched: one rule of thirty": "/findings?q=rule-7",
        "findings, searched: one rule, false positives": "/findings?q=rule-7&status=false_positive",
        "assets": "/assets",
    }
    return {**{name: page(path) for name, path in pages.items()}, "100 findings by key": call}


class Backends:
    """The database's processes that serve the application, and the processor time that they have had."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.files: list[Path] = []

    def look(self) -> None:
        """Find the processes that there are now."""
        rows = self.connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'sentinel_app'").fetchall()
        self.files = [Path(f"/proc/{pid}/schedstat") for (pid,) in rows]

    def used(self) -> float:
        """Return milliseconds of a core, this thread's included."""
        return time.thread_time() * 1e3 + sum(int(file.read_text().split()[0]) for file in self.files) / 1e6


def _compared(name: str, large: Callable[[], None], small: Callable[[], None], backends: Backends) -> list[Figure]:
    """Measure both in turns, so that the machine's load meets both alike."""
    elapsed: tuple[list[float], list[float]] = ([], [])
    cores: tuple[list[float], list[float]] = ([], [])
    for turn in range(WARM + ROUNDS):
        if turn == WARM:
            backends.look()
        for ask, taken, had in zip((large, small), elapsed, cores, strict=True):
            begin, before = time.perf_counter(), backends.used()
            ask()
            if turn >= WARM:
                taken.append((time.perf_counter() - begin) * 1000)
                had.append(backends.used() - before)
    return [
        *_figures(f"{name}, elapsed", elapsed, GOAL_MS),
        *_figures(f"{name}, of a core", cores, None),
    ]


def _figures(name: str, times: tuple[list[float], list[float]], goal: float | None) -> list[Figure]:
    ours, theirs = statistics.median(times[0]), statistics.median(times[1])
    against = f"{name}, p50 ({LARGE:,} against {SMALL:,} findings)"
    return [
        _figure(against, ours, round(theirs, 1), round(ours / theirs, 2)),
        _figure(f"{name}, p95", sorted(times[0])[int(ROUNDS * 0.95)], goal=goal),
    ]


def _figure(
    name: str, value: float, baseline: float | None = None, ratio: float | None = None, goal: float | None = None
) -> Figure:
    return {"name": name, "value": round(value, 1), "unit": "ms", "baseline": baseline, "ratio": ratio, "goal": goal}
