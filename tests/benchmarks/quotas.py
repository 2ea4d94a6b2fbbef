"""What exact quotas and rate limits cost: uses a second of one counter and of many, and what an API call pays."""

import contextlib
import statistics
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from itertools import cycle
from typing import Any
from unittest.mock import patch

from werkzeug.test import EnvironBuilder

import app.api.guards
import app.api.routing
from app.core.settings import settings
from app.db.opening import open_units
from app.db.units import Units
from app.factory import create_app
from app.services import quotas
from app.services.plans import Quota
from tests.benchmarks.installations import installation
from tests.peers.programs import issue
from tests.peers.tenants import Made, lift_limits, make_tenant

Figure = dict[str, Any]
THREADS, SECONDS, SPREAD = 8, 5.0, 16
WARM, ROUNDS = 40, 400
GOAL = 1.15


def figures() -> list[Figure]:
    """Uses a second by 8 threads, a transaction each; and the milliseconds of POST /process with and without."""
    with installation() as on, _units() as units:
        one = _made(units)
        many = [_made(units) for _ in range(SPREAD)]
        hot, spread = _uses([one]), _uses(many)
        _key, secret = issue(one)
        bare, full = _calls(on.variables["BASE_URL"], secret)
        return [
            _figure("quota: check-and-consume, one hot counter, 8 threads", hot, "uses/s", None, None),
            _figure(f"quota: check-and-consume, {SPREAD} tenants, 8 threads", spread, "uses/s", hot, None),
            _figure("POST /process without limits, quota and its row, p50", bare, "ms", None, None),
            _figure("POST /process with limits, quota and its row, p50", full, "ms", bare, GOAL),
        ]


@contextlib.contextmanager
def _units() -> Iterator[Units]:
    units = open_units(settings(), settings().database_url.get_secret_value())
    yield units
    units.engines.dispose()


def _made(units: Units) -> Made:
    made = make_tenant(units)
    lift_limits(made)
    return made


def _uses(tenants: list[Made]) -> float:
    """Return how many uses were committed in a second."""
    end = time.perf_counter() + SECONDS
    counts = [0] * THREADS

    def use(place: int) -> None:
        for made in cycle(tenants[place % len(tenants) :] + tenants[: place % len(tenants)]):
            if time.perf_counter() > end:
                return
            with made.unit() as unit:
                quotas.consume(unit, Quota.TEXTS)
                unit.commit()
            counts[place] += 1

    threads = [threading.Thread(target=use, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def _calls(base_url: str, secret: str) -> tuple[float, float]:
    """Return the median milliseconds of a call without and with what this measures, taken in turns in one thread."""
    application = create_app()
    body = b'{"user_input": "My card is 4532-1234-5678-9010"}'
    taken: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * (WARM + ROUNDS)):
        full = turn % 2 == 0
        with contextlib.nullcontext() if full else _bare():
            environ = EnvironBuilder(
                path="/process",
                method="POST",
                base_url=base_url,
                headers={"X-API-Key": secret},
                content_type="application/json",
                input_stream=BytesIO(body),
                content_length=len(body),
            ).get_environ()
            begin = time.perf_counter()
            _answer(application, environ)
        if turn >= 2 * WARM:
            taken[full].append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken[False]), statistics.median(taken[True])


def _answer(application: Any, environ: dict[str, Any]) -> None:
    statuses: list[str] = []
    answer: Any = application.wsgi_app(environ, lambda status, _headers, _info=None: statuses.append(status))
    b"".join(answer)
    answer.close()
    assert statuses == ["200 OK"]


@contextlib.contextmanager
def _bare() -> Iterator[None]:
    """Leave out the rate limits, the quota, and the row and sum of the call."""
    with (
        patch.object(app.api.routing, "limit_call", lambda _unit: None),
        patch.object(app.api.guards.quotas, "consume", lambda *_given: None),
        patch.object(app.api.routing, "_note", lambda *_given: None),
        patch.object(app.api.routing, "_count", lambda *_given: None),
    ):
        yield


def _figure(name: str, value: float, unit: str, baseline: float | None, goal: float | None) -> Figure:
    ratio = None if baseline is None else round(value / baseline, 2)
    rounded = round(value, 2 if unit == "ms" else None)
    kept = None if baseline is None else round(baseline, 2)
    return {"name": name, "value": rounded, "unit": unit, "baseline": kept, "ratio": ratio, "goal": goal}
