"""What a key costs: 100 findings by key against the same route without authentication and limits; one verification."""

import statistics
import time
from collections.abc import Callable
from typing import Any

from flask import g
from sqlalchemy import event

from app.api import routing
from app.core import crypto
from app.core.settings import settings
from app.db import directory
from app.db.units import Doorway, Entry, Home, Unit
from app.factory import create_app
from app.tenancy.placements import Isolation, Placement
from tests.benchmarks.installations import installation
from tests.benchmarks.process import _at, _figure, _findings, _tenant
from tests.peers.programs import issue
from tests.peers.tenants import Made

Figure = dict[str, Any]
ROUNDS, TURNS, LOOKS = 11, 40, 2_000
FINDINGS = "/api/v1/findings?limit=100"


def figures() -> list[Figure]:
    """Rates of whole requests on one thread in alternating rounds; milliseconds and round trips of a verification."""
    with installation(), _tenant() as made:
        _key, secret = issue(made)
        _findings(made, 120)
        return [_request(made, secret), *_verification(made, secret)]


def _request(made: Made, secret: str) -> Figure:
    app = create_app()
    ways = {
        "keyed": (routing._enter, routing.limit_call),
        "bare": (_without_authentication(made), lambda _unit: None),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, way in ways.items():
            routing._enter, routing.limit_call = way
            rate = _rate(app.test_client(), secret)
            if turn:
                rates[name].append(rate)
    routing._enter, routing.limit_call = ways["keyed"]
    app.extensions["sentinel"].key_uses.flush()
    app.extensions["sentinel"].units.engines.dispose()
    ours, base = statistics.median(rates["keyed"]), statistics.median(rates["bare"])
    name = "100 findings by key, against the same without authentication and limits"
    return _figure(name, ours, "requests/s", baseline=round(base, 2), goal=0.7)


def _without_authentication(made: Made) -> Callable[..., Unit]:
    """Enter as the tenant's owner, whatever was sent: only the tenant is set."""
    entry = Entry(made.id, Placement(made.id, Isolation.ROW, "shared", None, 1), made.actor)

    def enter(door: Doorway, _secret: str, *_rest: object) -> Unit:
        g.key_holder, g.visitor, g.entry = None, None, entry
        g.actor, g.tenant_id = made.actor, made.id
        return door.found(entry, Home.CONTENT)

    return enter


def _rate(client: Any, secret: str) -> float:
    began = time.perf_counter()
    for _ in range(TURNS):
        answer = client.get(FINDINGS, headers={"X-API-Key": secret}, base_url=settings().base_url)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code}: {answer.text[:200]}")
    return TURNS / (time.perf_counter() - began)


def _verification(made: Made, secret: str) -> list[Figure]:
    hashes = [crypto.credential_hash(secret, pepper) for pepper in settings().peppers]
    times, sent = [], 0

    def count(*_given: object) -> None:
        nonlocal sent
        sent += 1

    event.listen(made.units.engines.control, "before_cursor_execute", count)
    for turn in range(LOOKS + 100):
        with made.units.identify() as door:
            before, began = sent, time.perf_counter()
            holder = directory.begin_api_key(door.session, hashes)
            took = (time.perf_counter() - began) * 1000
            assert holder is not None and sent - before == 1
        if turn >= 100:
            times.append(took)
    times.sort()
    return [
        _figure("verification of a key with its context, one round trip, p50", _at(times, 0.50), "ms", goal=1.0),
        _figure("the same, p95", _at(times, 0.95), "ms"),
    ]
