"""What exact quotas and rate limits cost: uses a second of one counter and of many, and what an API call pays.

`python -m tests.benchmarks.quotas TENANT...` is one of the processes that use them up.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle, product
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

from sqlalchemy import text
from werkzeug.test import EnvironBuilder

import app.api.guards
import app.api.routing
import app.api.scans
import app.services.audit
import app.services.quotas
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Home, Unit, Units
from app.factory import create_app
from app.local import ports, valkey
from app.services import quotas
from app.services.plans import Quota
from app.tenancy.actors import system_actor
from app.tenancy.context import tenant_scope
from tests.benchmarks.installations import Installation, installation, opened_units
from tests.peers.programs import issue, stock
from tests.peers.tenants import Made, lift_limits, make_tenant

Figure = dict[str, Any]
ROOT = Path(__file__).parents[2]
PROCESSES, SECONDS, SPREAD, TURNS = 4, 1.5, 16, 3
KINDS = ["exact one", "plain one", "exact many", "plain many"]
WARM, ROUNDS, BLOCK = 40, 300, 15
GOAL = 1.15
TESTER = system_actor("benchmark")
# The same transaction, with nothing but the row's own change.
PLAIN = text(
    "UPDATE quota_counters SET used = used + 1 WHERE quota = 'texts' "
    "AND period = date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC')::date"
)


@dataclass(frozen=True)
class Request:
    """A request of a program that is measured, its answer's status, and the turns that it is measured against."""

    name: str
    method: str
    path: str
    body: bytes
    status: str
    against: tuple[tuple[str, str], ...] = (("bare", "without"),)


def figures() -> list[Figure]:
    """Uses a second by 4 processes against a plain UPDATE; milliseconds of API requests with and without."""
    with installation() as on, opened_units() as units:
        one = _made(units)
        many = [_made(units) for _ in range(SPREAD)]
        return [*_rates(on, one, many), *_requests(on, units, one)]


def _rates(on: Installation, one: Made, many: list[Made]) -> list[Figure]:
    """Measure each kind in turns, and keep the best turn of each: what else the machine does, it does to all."""
    everyone = [one.id, *(each.id for each in many)]
    command = [sys.executable, "-m", "tests.benchmarks.quotas", *map(str, everyone)]
    environment = {**os.environ, **on.variables}
    running = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for _ in range(PROCESSES)
    ]
    for process in running:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    best = dict.fromkeys(KINDS, 0.0)
    for kind in KINDS * TURNS:
        for process in running:
            assert process.stdin is not None
            process.stdin.write(f"{kind}\n")
        best[kind] = max(best[kind], sum(float(process.stdout.readline()) for process in running if process.stdout))
    for process in running:
        process.communicate()
    return [
        _figure(f"check-and-consume, {PROCESSES} processes, {where}", best[exact], "uses/s", best[plain], None)
        for where, exact, plain in (
            ("one hot counter; baseline: plain UPDATE of one row", "exact one", "plain one"),
            (f"{SPREAD} tenants; baseline: plain UPDATE of their rows", "exact many", "plain many"),
        )
    ]


def use(everyone: list[UUID]) -> None:
    """Say that this is ready; then, as it is told a kind, use up texts for some seconds, and tell how many a second."""
    with opened_units() as units:
        _spend(units, "exact", everyone, 0.5)
        print("ready", flush=True)
        for line in sys.stdin:
            kind, where = line.split()
            print(_spend(units, kind, everyone[:1] if where == "one" else everyone[1:], SECONDS), flush=True)


def _spend(units: Units, kind: str, tenants: list[UUID], seconds: float) -> float:
    begin = time.perf_counter()
    for counted, tenant_id in enumerate(cycle(tenants)):
        if (taken := time.perf_counter() - begin) > seconds:
            return counted / taken
        with tenant_scope(tenant_id), units.open(Home.CONTENT, TESTER) as unit:
            if kind == "exact":
                quotas.consume(unit, Quota.TEXTS)
            else:
                unit.session.execute(PLAIN)
            unit.commit()
    raise AssertionError("no tenant")


def _requests(on: Installation, units: Units, made: Made) -> list[Figure]:
    server = valkey.ValkeyServer(ports.free_port(), "measuring", on.directory / "valkey")
    server.spawn(on.directory / "valkey.log")
    try:
        server.wait()
        os.environ["RATE_LIMIT_STORAGE_URL"] = server.url
        settings.cache_clear()
        application = create_app()
        _key, secret = issue(made)
        worker = open_units(settings(), str(on.variables["DATABASE_WORKER_URL"]))
        letter = stock(made, worker).ids["document_id"]
        worker.engines.dispose()
        found = []
        for each in _asked(letter):
            taken = _calls(application, each, on.variables["BASE_URL"], secret)
            for turn, against in each.against:
                name = f"{each.name}, with all that counts and records it, against {against}; p50 of the best block"
                found.append(_figure(name, taken["full"], "ms", taken[turn], GOAL))
        return found
    finally:
        server.kill()


def _asked(letter: UUID) -> list[Request]:
    scan = json.dumps({"asset_id": str(letter), "tool": "text"}).encode()
    text_body = b'{"user_input": "My card is 4532-1234-5678-9010"}'
    return [
        Request("GET /api/v1/findings", "GET", "/api/v1/findings", b"", "200 OK"),
        Request("POST /api/v1/scans", "POST", "/api/v1/scans", scan, "202 ACCEPTED"),
        # Without its quota it writes nothing: what it is like to write a row durably is told beside that.
        Request(
            "POST /process",
            "POST",
            "/process",
            text_body,
            "200 OK",
            (("bare", "without, which writes nothing"), ("plain", "without, with a plain UPDATE of one row")),
        ),
    ]


def _calls(application: Any, asked: Request, base_url: str, secret: str) -> dict[str, float]:
    """Return the milliseconds of a request without and with what this measures, taken in turns in one thread."""
    turns: dict[str, Callable[[], AbstractContextManager[None]]] = {"full": contextlib.nullcontext, "bare": _left_out}
    if len(asked.against) > 1:
        turns["plain"] = _written_plainly
    taken: dict[str, list[float]] = {turn: [] for turn in turns}
    for number, turn in product(range(WARM + ROUNDS), turns):
        environ = EnvironBuilder(
            path=asked.path,
            method=asked.method,
            base_url=base_url,
            headers={"X-API-Key": secret},
            content_type="application/json" if asked.body else None,
            input_stream=BytesIO(asked.body),
            content_length=len(asked.body),
        ).get_environ()
        with turns[turn]():
            begin = time.perf_counter()
            _answer(application, environ, asked.status)
            took = (time.perf_counter() - begin) * 1000
        if number >= WARM:
            taken[turn].append(took)
    return {turn: _best(each) for turn, each in taken.items()}


def _best(taken: list[float]) -> float:
    """Return the best median of a block: on a machine that is shared, what was least disturbed."""
    return min(statistics.median(taken[first : first + BLOCK]) for first in range(0, len(taken), BLOCK))


def _answer(application: Any, environ: dict[str, Any], status: str) -> None:
    statuses: list[str] = []
    answer: Any = application.wsgi_app(environ, lambda given, _headers, _info=None: statuses.append(given))
    b"".join(answer)
    answer.close()
    assert statuses == [status]


@contextlib.contextmanager
def _left_out() -> Iterator[None]:
    """Leave out rate limits, quotas, the audit row, and the row and sum of the call."""
    with contextlib.ExitStack() as left_out:
        for module, name, instead in (
            (app.api.routing, "limit_call", lambda _unit: None),
            (app.api.scans, "limit_action", lambda *_given: None),
            (app.api.guards.quotas, "consume", lambda *_given: None),
            (app.services.quotas, "reserve", lambda *_given: None),
            (app.services.audit, "record_last", lambda *_given, **_named: None),
            (app.api.routing, "write_call", lambda *_given: None),
            (app.api.routing, "_count", lambda *_given, **_named: None),
        ):
            left_out.enter_context(patch.object(module, name, instead))
        yield


@contextlib.contextmanager
def _written_plainly() -> Iterator[None]:
    """Leave out the same, but change one row, whose commit waits for the disk as any that changes something."""
    with _left_out(), patch.object(app.api.guards.quotas, "consume", _update):
        yield


def _update(unit: Unit, _quota: Quota) -> None:
    unit.session.execute(PLAIN)


def _made(units: Units) -> Made:
    made = make_tenant(units)
    lift_limits(made, monthly=10**12)  # counted against a limit, with its levels, as under every plan
    with made.unit() as unit:
        _first(unit)
        unit.commit()
    return made


def _first(unit: Unit) -> None:
    """Make the month's row."""
    quotas.consume(unit, Quota.TEXTS)


def _figure(name: str, value: float, unit: str, baseline: float | None, goal: float | None) -> Figure:
    ratio = None if baseline is None else round(value / baseline, 2)
    rounded = round(value, 2 if unit == "ms" else None)
    kept = None if baseline is None else round(baseline, 2 if unit == "ms" else None)
    return {"name": name, "value": rounded, "unit": unit, "baseline": kept, "ratio": ratio, "goal": goal}


if __name__ == "__main__":
    use([UUID(each) for each in sys.argv[1:]])
